import type { WorkItem } from '@_all_docs/worker';
import { DurableObjectQueue } from '@_all_docs/worker-cloudflare';
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { WorkQueueObject } from '../src/work-queue-object.ts';
import { testClock } from './_clock.ts';

const item = (id: string, more: Partial<WorkItem> = {}): WorkItem => ({
  type: 'packument',
  id,
  payload: { name: id },
  priority: 1,
  attempts: 0,
  ...more,
});
/** The stub's own type gives up on payloads of any kind. */
const objectOf = (name: string) =>
  env.WORK_QUEUE.getByName(name) as unknown as DurableObjectStub &
    Pick<WorkQueueObject, 'enqueue' | 'take' | 'ack' | 'fail' | 'size' | 'dead'>;
const post = (body: string, path = '/enqueue', method = 'POST') =>
  objectOf('http').fetch(`https://queue.example.test${path}`, { method, ...(method === 'GET' ? {} : { body }) });

describe('POST /enqueue', () => {
  it('takes one work item, or a list of them', async () => {
    expect((await post(JSON.stringify(item('one')))).status).toBe(202);
    const answer = await post(JSON.stringify([item('two'), item('three'), item('two')]));
    expect([answer.status, await answer.json()]).toEqual([202, { enqueued: 3 }]);
    expect(await objectOf('http').size()).toEqual({ waiting: 3, leased: 0, dead: 0 });
  });

  it.each([
    ['nothing', ''],
    ['half an item', '{"type":'],
    ['HTML', '<html>'],
    ['null', 'null'],
    ['a text', '"item"'],
    ['no id', JSON.stringify({ ...item('x'), id: '' })],
    ['an urgency that is none', JSON.stringify(item('x', { priority: 0 }))],
    ['an item too large', JSON.stringify(item('x', { payload: 'x'.repeat(128_000) }))],
    ['a list with one bad item', JSON.stringify([item('y'), { ...item('x'), type: 1 }])],
  ])('answers 400 and says why for %s, and takes nothing of it', async (_, body) => {
    const before = await objectOf('http').size();
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toMatch(/JSON|work item/);
    expect(await objectOf('http').size()).toEqual(before);
  });

  it('is the one thing there is', async () => {
    expect((await post('{}', '/other')).status).toBe(404);
    const answer = await post('', '/enqueue', 'GET');
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('a lease', () => {
  it('that nobody ends is a failed try; three of them and the item is dead, with the reason', async () => {
    const queue = objectOf('expiry');
    await queue.enqueue([item('a')]);
    for (const waiting of [1, 1, 0]) {
      const [lease] = (await queue.take({ leaseMs: 1_000 })) ?? [];
      expect(lease?.item.id).toBe('a');
      testClock.pass(1_001);
      expect(await queue.size()).toEqual({ waiting, leased: 0, dead: 1 - waiting });
      // Whoever comes late does no harm.
      await queue.ack([lease?.id as string]);
      expect(await queue.size()).toEqual({ waiting, leased: 0, dead: 1 - waiting });
      testClock.pass(10_000);
    }
    expect(await queue.dead()).toEqual([
      { item: item('a', { attempts: 3 }), error: 'the lease ended before the work' },
    ]);
  });

  it('and its item outlive the object', async () => {
    const queue = objectOf('outlive');
    await queue.enqueue([item('a'), item('b')]);
    const [lease] = (await queue.take()) ?? [];
    await evictDurableObject(queue);
    expect(await queue.size()).toEqual({ waiting: 1, leased: 1, dead: 0 });
    await queue.ack([lease?.id as string]);
    await evictDurableObject(queue);
    expect(await queue.size()).toEqual({ waiting: 1, leased: 0, dead: 0 });
  });
});

describe('an object that does the work itself', () => {
  const workingOn = (
    name: string,
    process: (item: WorkItem) => Promise<{ success: true } | { success: false; error: string }>,
  ) =>
    runInDurableObject(objectOf(name), (object: WorkQueueObject) => {
      Object.assign(object, { process });
    });

  it('is woken by an alarm for what is due, ten at a time, and again for what failed', async () => {
    const done: string[] = [];
    const tries = new Map<string, number>();
    await workingOn('alarm', async ({ id }) => {
      tries.set(id, (tries.get(id) ?? 0) + 1);
      if (id === 'never') throw new Error('never');
      if (id === 'second' && tries.get(id) === 1) return { success: false, error: 'not yet' };
      done.push(id);
      return { success: true };
    });
    const queue = objectOf('alarm');
    const ids = [...Array.from({ length: 23 }, (_, i) => `item-${i}`), 'second', 'never'];
    await queue.enqueue(ids.map((id) => item(id)));
    let rounds = 0;
    while ((await queue.size()).waiting > 0 && rounds < 20) {
      rounds += 1;
      await runDurableObjectAlarm(queue);
      testClock.pass(5_000);
    }
    expect(done.sort()).toEqual(ids.filter((id) => id !== 'never').sort());
    expect([tries.get('second'), tries.get('never')]).toEqual([2, 3]);
    expect(await queue.dead()).toMatchObject([{ item: { id: 'never' }, error: 'never' }]);
    expect(await runDurableObjectAlarm(queue)).toBe(false);
  });
});

it('10,000 items, one in ten of them failing, and the object evicted 20 times: each is done once in effect, none is lost', async () => {
  const ITEMS = 10_000;
  const queue = objectOf('many');
  const ids = Array.from({ length: ITEMS }, (_, i) => `item-${i}`);
  for (let at = 0; at < ITEMS; at += 500) await queue.enqueue(ids.slice(at, at + 500).map((id) => item(id)));
  // Of ten items one fails: every second of those for good, the others at their first try.
  const number = (id: string) => Number(id.slice(5));
  const isHopeless = (id: string) => number(id) % 20 === 0;
  const effects = new Map<string, number>();
  const tries = new Map<string, number>();
  let evictions = 0;
  let taken = 0;
  for (;;) {
    const leases = (await queue.take({ limit: 100, leaseMs: 60_000 })) ?? [];
    if (leases.length === 0) {
      const { waiting, leased } = await queue.size();
      if (waiting + leased === 0) break;
      testClock.pass(5_000);
      continue;
    }
    taken += 1;
    const [good, bad] = [[] as string[], [] as string[]];
    for (const { id, item } of leases) {
      const before = tries.get(item.id) ?? 0;
      expect(item.attempts).toBe(before);
      tries.set(item.id, before + 1);
      if (isHopeless(item.id) || (number(item.id) % 10 === 0 && before === 0)) {
        bad.push(id);
      } else {
        effects.set(item.id, (effects.get(item.id) ?? 0) + 1);
        good.push(id);
      }
    }
    // Between taking and telling, now and then, and in the midst of a call that is then made again.
    if (taken % 5 === 0 && evictions < 20) {
      evictions += 1;
      const telling = evictions % 2 === 0 ? queue.ack(good) : Promise.resolve();
      await Promise.all([telling, evictDurableObject(queue)]);
    }
    await queue.ack(good);
    await queue.fail(bad, 'failed');
  }
  expect(evictions).toBe(20);
  expect(effects.size).toBe(ITEMS - ITEMS / 20);
  expect([...effects.values()].every((times) => times === 1)).toBe(true);
  expect(await queue.size()).toEqual({ waiting: 0, leased: 0, dead: ITEMS / 20 });
  const dead = await queue.dead(ITEMS);
  expect(dead.map((each) => each.item.id).sort()).toEqual(ids.filter(isHopeless).sort());
  expect(dead.every((each) => each.item.attempts === 3 && each.error === 'failed')).toBe(true);
}, 240_000);

it('a queue of one name is one queue to all who have the namespace', async () => {
  const [one, other] = [0, 1].map(() => new DurableObjectQueue(env.WORK_QUEUE, { name: 'shared' }));
  await one?.enqueue(item('a'));
  expect((await other?.lease())?.item).toEqual(item('a'));
});
