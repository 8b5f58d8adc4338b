import type { Lease, WorkItem, WorkQueue } from '@_all_docs/worker';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf } from './_bytes.ts';
import { AWKWARD_NAMES, ILL_FORMED } from './names.ts';

/** A queue under test, and how time passes for it. */
interface QueueHarness {
  queue: WorkQueue;
  /** Lets so much time pass: a fake clock jumps, a real one is waited for. */
  pass(ms: number): Promise<void>;
  /** Another handle on the same items, as another process would have it; where items live outside of the object. */
  another?: () => WorkQueue | Promise<WorkQueue>;
  /** Called at the end; the queue may be closed by then. */
  destroy?(): Promise<unknown>;
}

interface QueueTraits {
  /** An item can be enqueued again while it is leased, and is leased again afterwards; off where ids are unique. */
  onceWhileLeased?: { reason: string };
}

export interface WorkQueueContract {
  name: string;
  /** An empty queue that leases so many items at once. */
  create: (options: { concurrency: number }) => QueueHarness | Promise<QueueHarness>;
  traits?: QueueTraits;
}

const item = (id: string, more: Partial<WorkItem> = {}): WorkItem => ({
  type: 'partition',
  id,
  payload: { startKey: 'a', endKey: null },
  priority: 1,
  attempts: 0,
  ...more,
});
const NONE = { waiting: 0, leased: 0, dead: 0 };
const FIRST_PAUSE = 2_000;
const SECOND_PAUSE = 4_000;

/** Names of the things that a queue in Redis keeps beside its items. */
const QUEUE_WORDS = [
  'id',
  'wait',
  'waiting',
  'active',
  'meta',
  'events',
  'delayed',
  'failed',
  'completed',
  'prioritized',
  'marker',
  'pc',
  'de',
  'limiter',
  'stalled',
  'stalled-check',
  'repeat',
  'paused',
  'lock',
];

/** What every {@link WorkQueue} must do. */
export function workQueueContract({ name, create, traits = {} }: WorkQueueContract): void {
  describe(`${name} keeps the queue contract`, () => {
    let harness: QueueHarness | undefined;
    const opened: WorkQueue[] = [];
    const start = async (concurrency = 1_000): Promise<QueueHarness & { queue: WorkQueue }> => {
      harness = await create({ concurrency });
      return harness;
    };
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
      await harness?.queue.close();
      await harness?.destroy?.();
      harness = undefined;
    });

    /** Leases all that can be had at once. */
    async function drain(queue: WorkQueue): Promise<Lease[]> {
      const leases: Lease[] = [];
      for (let lease = await queue.lease(); lease; lease = await queue.lease()) leases.push(lease);
      return leases;
    }
    const ids = (leases: readonly (Lease | undefined)[]) => leases.map((lease) => lease?.item.id);

    describe('enqueue, lease, ack', () => {
      it('carry an item from one end to the other', async () => {
        const { queue } = await start();
        expect(await queue.size()).toEqual(NONE);
        await queue.enqueue(item('partition-a-b', { priority: 3 }));
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
        const lease = (await queue.lease()) as Lease;
        expect(lease.item).toEqual(item('partition-a-b', { priority: 3 }));
        expect(typeof lease.id).toBe('string');
        expect(await queue.size()).toEqual({ ...NONE, leased: 1 });
        await queue.ack(lease);
        expect(await queue.size()).toEqual(NONE);
        expect(await queue.lease()).toBeUndefined();
      });

      it('of an empty queue is undefined at once', async () => {
        const { queue } = await start();
        expect(await queue.lease()).toBeUndefined();
        expect(await queue.lease({ waitMs: 0 })).toBeUndefined();
      });

      it('acknowledging twice, or what is not leased, does nothing', async () => {
        const { queue } = await start();
        await queue.enqueue(item('a'));
        const lease = (await queue.lease()) as Lease;
        await Promise.all([queue.ack(lease), queue.ack(lease)]);
        await queue.ack(lease);
        await queue.fail(lease, new Error('too late'));
        await queue.ack({ id: 'never', item: item('never') });
        await queue.fail({ id: 'never', item: item('never') }, 'never');
        expect(await queue.size()).toEqual(NONE);
      });

      it('acknowledging what failed already does nothing', async () => {
        const { queue } = await start();
        await queue.enqueue(item('a'));
        const lease = (await queue.lease()) as Lease;
        await queue.fail(lease, new Error('failed'));
        await queue.ack(lease);
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
      });
    });

    describe('order', () => {
      it('is by priority, 1 first, then by arrival', async () => {
        const { queue } = await start();
        for (const [i, priority] of [5, 1, 3, 1, 2, 5, 1].entries())
          await queue.enqueue(item(`${priority}.${i}`, { priority }));
        expect(ids(await drain(queue))).toEqual(['1.1', '1.3', '1.6', '2.4', '3.2', '5.0', '5.5']);
      });

      it('takes what comes in between into account', async () => {
        const { queue } = await start();
        await queue.enqueue(item('late', { priority: 9 }));
        await queue.enqueue(item('later', { priority: 10 }));
        expect((await queue.lease())?.item.id).toBe('late');
        await queue.enqueue(item('urgent'));
        expect(ids(await drain(queue))).toEqual(['urgent', 'later']);
      });

      it('takes any priority from 1', async () => {
        const { queue } = await start();
        for (const priority of [Number.MAX_SAFE_INTEGER, 2 ** 31, 2 ** 21, 1])
          await queue.enqueue(item(`p${priority}`, { priority }));
        const leases = await drain(queue);
        expect(leases[0]?.item.id).toBe('p1');
        expect(leases.map(({ item }) => item.priority).sort((a, b) => a - b)).toEqual([
          1,
          2 ** 21,
          2 ** 31,
          Number.MAX_SAFE_INTEGER,
        ]);
      });
    });

    describe('items', () => {
      it('survive as plain JSON', async () => {
        const { queue } = await start();
        const payload = {
          text: AWKWARD_NAMES.map(({ text }) => text),
          number: 1.5,
          none: null,
          deep: { list: [[], {}, [true]] },
          lone: '\ud83d',
        };
        await queue.enqueue({ type: 'any type at all: é\u{1f600}', id: 'json', payload, priority: 7, attempts: 0 });
        expect((await queue.lease())?.item).toEqual({
          type: 'any type at all: é\u{1f600}',
          id: 'json',
          payload,
          priority: 7,
          attempts: 0,
        });
      });

      it('are not changed by what happens to the objects outside', async () => {
        const { queue, pass } = await start();
        const given = item('copy', { payload: { list: [1] } });
        await queue.enqueue(given);
        (given.payload as { list: number[] }).list.push(2);
        given.priority = 99;
        const first = (await queue.lease()) as Lease;
        expect(first.item).toEqual(item('copy', { payload: { list: [1] } }));
        (first.item.payload as { list: number[] }).list.push(3);
        await queue.fail(first, 'again');
        await pass(FIRST_PAUSE + 100);
        expect((await queue.lease({ waitMs: 2_000 }))?.item.payload).toEqual({ list: [1] });
      }, 20_000);

      it('with ids of any text stay apart', async () => {
        const { queue } = await start();
        const names = [...AWKWARD_NAMES, ...ILL_FORMED].map(({ text }) => text).concat(QUEUE_WORDS);
        for (const id of names) await queue.enqueue(item(id, { payload: { id } }));
        expect(await queue.size()).toEqual({ ...NONE, waiting: names.length });
        const leases = await drain(queue);
        expect(ids(leases)).toEqual(names);
        for (const lease of leases) {
          expect(lease.item.payload).toEqual({ id: lease.item.id });
          await queue.ack(lease);
        }
        expect(await queue.size()).toEqual(NONE);
      });

      const bad: [string, unknown][] = [
        ['nothing', undefined],
        ['null', null],
        ['no type', { ...item('a'), type: '' }],
        ['no id', { ...item('a'), id: '' }],
        ['an id that is a number', { ...item('a'), id: 1 }],
        ['priority 0', item('a', { priority: 0 })],
        ['half a priority', item('a', { priority: 1.5 })],
        ['no priority', { ...item('a'), priority: undefined }],
        ['negative attempts', item('a', { attempts: -1 })],
        ['no attempts', { ...item('a'), attempts: undefined }],
      ];
      it.each(bad)('that no queue can carry are ERR_BAD_WORK_ITEM: %s', async (_, what) => {
        const { queue } = await start();
        expect(await codeOf(() => queue.enqueue(what as WorkItem))).toBe('ERR_BAD_WORK_ITEM');
        expect(await queue.size()).toEqual(NONE);
      });
    });

    describe('the same id', () => {
      it('waiting already is the same item', async () => {
        const { queue } = await start();
        await queue.enqueue(item('a'));
        await queue.enqueue(item('a'));
        await Promise.all([queue.enqueue(item('a')), queue.enqueue(item('a', { priority: 2 }))]);
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
        expect(ids(await drain(queue))).toEqual(['a']);
      });

      it('waiting for another try is the same item', async () => {
        const { queue, pass } = await start();
        await queue.enqueue(item('a'));
        await queue.fail((await queue.lease()) as Lease, 'failed');
        await queue.enqueue(item('a'));
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
        await pass(FIRST_PAUSE + 100);
        const first = await queue.lease({ waitMs: 2_000 });
        expect(first?.item.id).toBe('a');
        expect(await queue.lease()).toBeUndefined();
      }, 20_000);

      it('is a new item when the first is done', async () => {
        const { queue } = await start();
        for (let i = 0; i < 3; i++) {
          await queue.enqueue(item('a', { payload: { i } }));
          const lease = (await queue.lease()) as Lease;
          expect(lease.item.payload).toEqual({ i });
          await queue.ack(lease);
        }
        expect(await queue.size()).toEqual(NONE);
      });

      const { onceWhileLeased } = traits;
      it.skipIf(onceWhileLeased)(
        `while it is leased is a new item${onceWhileLeased ? ` (off: ${onceWhileLeased.reason})` : ''}`,
        async () => {
          const { queue } = await start();
          await queue.enqueue(item('a', { payload: 1 }));
          const first = (await queue.lease()) as Lease;
          await queue.enqueue(item('a', { payload: 2 }));
          expect(await queue.size()).toEqual({ ...NONE, waiting: 1, leased: 1 });
          await queue.ack(first);
          expect((await queue.lease())?.item.payload).toBe(2);
        },
      );

      it.skipIf(onceWhileLeased)(
        `that failed and was enqueued again meanwhile is one item${onceWhileLeased ? ` (off: ${onceWhileLeased.reason})` : ''}`,
        async () => {
          const { queue, pass } = await start();
          await queue.enqueue(item('a'));
          const first = (await queue.lease()) as Lease;
          await queue.enqueue(item('a'));
          await queue.fail(first, 'failed');
          expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
          await pass(FIRST_PAUSE + 100);
          expect(ids(await drain(queue))).toEqual(['a']);
        },
      );
    });

    describe('fail', () => {
      it('brings the item back after 2 and 4 seconds, then it is dead; its id can be used again', async () => {
        const { queue, pass } = await start();
        await queue.enqueue(item('a', { priority: 4, payload: 'kept' }));
        let lease = (await queue.lease()) as Lease;
        expect(lease.item.attempts).toBe(0);
        await queue.fail(lease, new Error('first'));
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
        await pass(FIRST_PAUSE - 500);
        expect(await queue.lease()).toBeUndefined();
        await pass(600);
        lease = (await queue.lease({ waitMs: 2_000 })) as Lease;
        expect(lease.item).toEqual(item('a', { priority: 4, payload: 'kept', attempts: 1 }));
        await queue.fail(lease, 'no error object');
        await pass(SECOND_PAUSE - 500);
        expect(await queue.lease()).toBeUndefined();
        await pass(600);
        lease = (await queue.lease({ waitMs: 2_000 })) as Lease;
        expect(lease.item.attempts).toBe(2);
        await queue.fail(lease, undefined);
        expect(await queue.size()).toEqual({ ...NONE, dead: 1 });
        await pass(100);
        expect(await queue.lease()).toBeUndefined();
        await queue.enqueue(item('a', { payload: 'new' }));
        expect(await queue.size()).toMatchObject({ waiting: 1, leased: 0 });
        expect((await queue.lease())?.item).toEqual(item('a', { payload: 'new' }));
      }, 30_000);

      it('counts the tries that an item had before', async () => {
        const { queue } = await start();
        await queue.enqueue(item('a', { attempts: 2 }));
        const lease = (await queue.lease()) as Lease;
        expect(lease.item.attempts).toBe(2);
        await queue.fail(lease, new Error('last'));
        expect(await queue.size()).toEqual({ ...NONE, dead: 1 });
      });

      it('pauses longer for an item that had a try before', async () => {
        const { queue, pass } = await start();
        await queue.enqueue(item('a', { attempts: 1 }));
        await queue.fail((await queue.lease()) as Lease, new Error('second'));
        await pass(FIRST_PAUSE + 500);
        expect(await queue.lease()).toBeUndefined();
        await pass(SECOND_PAUSE - FIRST_PAUSE);
        expect((await queue.lease({ waitMs: 2_000 }))?.item.attempts).toBe(2);
      }, 20_000);

      it('of one leaves the others alone, and a retry comes in its priority', async () => {
        const { queue, pass } = await start();
        await queue.enqueue(item('urgent'));
        await queue.enqueue(item('idle', { priority: 5 }));
        await queue.fail((await queue.lease()) as Lease, 'failed');
        await pass(FIRST_PAUSE + 200);
        // A queue may take notice of a retry only when it is asked.
        expect(ids(await drain(queue))).toEqual(['urgent', 'idle']);
      }, 20_000);

      it.each(['UnrecoverableError', 'DelayedError', 'RateLimitError'])(
        'with an error named %s is a failure like any other',
        async (name) => {
          const { queue } = await start();
          await queue.enqueue(item('a'));
          const error = Object.assign(new Error('bullmq:rateLimitExceeded'), { name });
          await queue.fail((await queue.lease()) as Lease, error);
          expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
        },
      );
    });

    describe('waiting', () => {
      it('ends with what comes', async () => {
        const { queue } = await start();
        const lease = queue.lease({ waitMs: 30_000 });
        await new Promise((resolve) => setTimeout(resolve, 50));
        await queue.enqueue(item('a'));
        expect((await lease)?.item.id).toBe('a');
      });

      it('ends with undefined after waitMs, not before', async () => {
        const { queue, pass } = await start();
        let ended = false;
        const lease = queue.lease({ waitMs: 1_000 }).then((got) => {
          ended = true;
          return got;
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
        await pass(500);
        expect(ended).toBe(false);
        await pass(600);
        expect(await lease).toBeUndefined();
      });

      it('of many gives each what comes, none of it twice', async () => {
        const { queue } = await start();
        const leases = Array.from({ length: 5 }, () => queue.lease({ waitMs: 30_000 }));
        for (let i = 0; i < 5; i++) {
          await new Promise((resolve) => setTimeout(resolve, 10));
          await queue.enqueue(item(`a${i}`));
        }
        expect(ids(await Promise.all(leases)).sort()).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
      });

      it('brings back what failed when its pause is over', async () => {
        const { queue, pass } = await start();
        await queue.enqueue(item('a'));
        await queue.fail((await queue.lease()) as Lease, 'failed');
        const lease = queue.lease({ waitMs: 60_000 });
        await new Promise((resolve) => setTimeout(resolve, 20));
        await pass(FIRST_PAUSE + 100);
        expect((await lease)?.item.attempts).toBe(1);
      }, 20_000);

      it('ends with undefined on abort', async () => {
        const { queue } = await start();
        expect(await queue.lease({ waitMs: 30_000, signal: AbortSignal.abort() })).toBeUndefined();
        const controller = new AbortController();
        const lease = queue.lease({ waitMs: 30_000, signal: controller.signal });
        setTimeout(() => controller.abort(), 50);
        expect(await lease).toBeUndefined();
        await queue.enqueue(item('a'));
        expect((await queue.lease())?.item.id).toBe('a');
      });

      it('with an aborted signal takes nothing', async () => {
        const { queue } = await start();
        await queue.enqueue(item('a'));
        expect(await queue.lease({ signal: AbortSignal.abort() })).toBeUndefined();
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
      });
    });

    describe('concurrency', () => {
      const soon = <T>(promise: Promise<T>) =>
        Promise.race([promise, new Promise<'not yet'>((resolve) => setTimeout(() => resolve('not yet'), 300))]);

      it('holds a lease back until a place is free', async () => {
        const { queue } = await start(2);
        for (const id of ['a', 'b', 'c', 'd']) await queue.enqueue(item(id));
        const [first, second] = [await queue.lease(), await queue.lease()];
        const third = queue.lease();
        expect(await soon(third)).toBe('not yet');
        expect(await queue.size()).toEqual({ ...NONE, waiting: 2, leased: 2 });
        await queue.ack(first as Lease);
        expect((await third)?.item.id).toBe('c');
        const fourth = queue.lease();
        expect(await soon(fourth)).toBe('not yet');
        await queue.fail(second as Lease, 'failed');
        expect((await fourth)?.item.id).toBe('d');
      });

      it('a lease held back ends on abort, and takes nothing', async () => {
        const { queue } = await start(1);
        for (const id of ['a', 'b']) await queue.enqueue(item(id));
        const first = (await queue.lease()) as Lease;
        const controller = new AbortController();
        const second = queue.lease({ signal: controller.signal });
        setTimeout(() => controller.abort(), 20);
        expect(await soon(second)).toBeUndefined();
        await queue.ack(first);
        expect(await queue.size()).toEqual({ ...NONE, waiting: 1 });
      });

      it('a lease held back ends when the queue is closed', async () => {
        const { queue } = await start(1);
        for (const id of ['a', 'b']) await queue.enqueue(item(id));
        await queue.lease();
        const second = queue.lease();
        await new Promise((resolve) => setTimeout(resolve, 20));
        await queue.close();
        expect(await soon(second)).toBeUndefined();
      });

      it('gives no lease to two', async () => {
        const { queue, another } = await start();
        const other = (await another?.()) ?? queue;
        if (other !== queue) opened.push(other);
        const names = Array.from({ length: 100 }, (_, i) => `item-${i}`);
        await Promise.all(names.map((id) => queue.enqueue(item(id))));
        const leases = await Promise.all(Array.from({ length: 120 }, (_, i) => (i % 2 === 0 ? queue : other).lease()));
        const got = leases.flatMap((lease, i) => (lease ? [{ lease, from: i % 2 === 0 ? queue : other }] : []));
        expect(ids(got.map(({ lease }) => lease)).sort()).toEqual([...names].sort());
        expect(new Set(got.map(({ lease }) => lease.id)).size).toBe(100);
        expect(await other.size()).toEqual({ ...NONE, leased: 100 });
        await Promise.all(got.map(({ lease, from }) => from.ack(lease)));
        expect(await queue.size()).toEqual(NONE);
      });

      it('loses nothing with many at work', async () => {
        const { queue } = await start(8);
        const names = Array.from({ length: 200 }, (_, i) => `item-${i}`);
        await Promise.all(names.map((id, i) => queue.enqueue(item(id, { priority: 1 + (i % 5) }))));
        const done: string[] = [];
        await Promise.all(
          Array.from({ length: 16 }, async () => {
            for (let lease = await queue.lease(); lease; lease = await queue.lease()) {
              await new Promise((resolve) => setTimeout(resolve, 1));
              done.push(lease.item.id);
              await queue.ack(lease);
            }
          }),
        );
        expect(done.sort()).toEqual([...names].sort());
        expect(await queue.size()).toEqual(NONE);
      });
    });

    describe('close', () => {
      it('ends those who wait', async () => {
        const { queue } = await start();
        const waiting = [queue.lease({ waitMs: 30_000 }), queue.lease({ waitMs: 30_000 })];
        await new Promise((resolve) => setTimeout(resolve, 20));
        await queue.close();
        expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
      });

      it('takes nothing any more, gives nothing any more, and can be repeated', async () => {
        const { queue } = await start();
        await queue.enqueue(item('a'));
        const lease = (await queue.lease()) as Lease;
        await Promise.all([queue.close(), queue.close()]);
        await queue.close();
        expect(await codeOf(() => queue.enqueue(item('b')))).toBe('ERR_QUEUE_CLOSED');
        expect(await queue.lease()).toBeUndefined();
        expect(await queue.lease({ waitMs: 10 })).toBeUndefined();
        await queue.ack(lease);
        await queue.fail(lease, 'late');
      }, 5_000);

      it('gives what is still leased to the next one, where there is one', async ({ skip }) => {
        const { queue, another } = await start();
        if (!another) return skip('items are gone with this queue');
        const next = await another();
        opened.push(next);
        for (const id of ['a', 'b']) await queue.enqueue(item(id));
        await queue.lease();
        expect((await next.size()).leased).toBe(1);
        await queue.close();
        expect(await next.size()).toEqual({ ...NONE, waiting: 2 });
        expect(ids(await drain(next)).sort()).toEqual(['a', 'b']);
      });
    });
  });
}
