import { createQueue, MemoryQueue } from '@_all_docs/worker';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { item, settle, VirtualClock } from './_env.ts';

const named = (id: string, priority = 1) => item('packument', { name: id }, { id, priority });

describe('MemoryQueue', () => {
  it('gives the most urgent first, and equals in the order they came', async () => {
    const queue = new MemoryQueue(new VirtualClock());
    for (const [id, priority] of [
      ['c', 2],
      ['a', 1],
      ['d', 2],
      ['b', 1],
    ] as const)
      await queue.enqueue(named(id, priority));
    const order = [];
    for (let lease = await queue.lease(); lease; lease = await queue.lease()) {
      order.push(lease.item.id);
      await queue.ack(lease);
    }
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    expect(await queue.size()).toEqual({ waiting: 0, leased: 0, dead: 0 });
    await queue.close();
  });

  it('tries an item three times with growing pauses, then gives it up', async () => {
    const clock = new VirtualClock();
    const queue = new MemoryQueue(clock);
    await queue.enqueue(named('a'));
    for (const pause of [2_000, 4_000]) {
      const lease = await queue.lease();
      await queue.fail(lease as NonNullable<typeof lease>, 'x');
      await clock.advance(pause - 1);
      expect(await queue.lease()).toBeUndefined();
      expect(await queue.size()).toEqual({ waiting: 1, leased: 0, dead: 0 });
      await clock.advance(1);
    }
    const last = await queue.lease();
    expect(last?.item.attempts).toBe(2);
    await queue.fail(last as NonNullable<typeof last>, 'x');
    expect(await queue.size()).toEqual({ waiting: 0, leased: 0, dead: 1 });
    await queue.close();
  });

  it('takes an item that waits already for the same, and refuses a bad one', async () => {
    const queue = new MemoryQueue(new VirtualClock());
    await queue.enqueue(named('a'));
    await queue.enqueue(named('a'));
    expect((await queue.size()).waiting).toBe(1);
    expect(await codeOf(() => queue.enqueue(named('a', 0)))).toBe('ERR_BAD_WORK_ITEM');
    await queue.close();
    expect(await codeOf(() => queue.enqueue(named('b')))).toBe('ERR_QUEUE_CLOSED');
  });

  it('close ends every lease that is still waited for: there is no item, and no error', async () => {
    const queue = new MemoryQueue(new VirtualClock(), { concurrency: 1 });
    await queue.enqueue(named('a'));
    await queue.enqueue(named('b'));
    const first = await queue.lease();
    expect(first?.item.id).toBe('a');
    const settled: unknown[] = [];
    const record = (value: unknown) => settled.push(value);
    void queue.lease().then(record, record);
    void queue.lease({ waitMs: 1_000 }).then(record, record);
    await settle();
    expect(settled).toEqual([]);
    await queue.close();
    await settle();
    expect(settled).toEqual([undefined, undefined]);
  });

  it('an abort ends a wait for new work', async () => {
    const queue = new MemoryQueue(new VirtualClock());
    const controller = new AbortController();
    const lease = queue.lease({ waitMs: 1e9, signal: controller.signal });
    controller.abort();
    expect(await lease).toBeUndefined();
    await queue.close();
  });
});

describe('createQueue', () => {
  it('has 10 at once when nothing is told', async () => {
    const queue = createQueue({ clock: new VirtualClock() });
    for (let i = 0; i < 30; i++) await queue.enqueue(named(`n${i}`));
    let leased = 0;
    for (let i = 0; i < 30; i++)
      queue.lease().then(
        (lease) => (leased += lease ? 1 : 0),
        () => undefined,
      );
    await settle();
    expect(leased).toBe(10);
    expect(await queue.size()).toMatchObject({ leased: 10, waiting: 20 });
    await queue.close();
  });

  it('and 20 an interval', async () => {
    const queue = createQueue({ clock: new VirtualClock() });
    for (let i = 0; i < 30; i++) await queue.enqueue(named(`n${i}`));
    let done = 0;
    for (let i = 0; i < 30; i++) {
      const take = queue.lease().then(async (lease) => {
        if (!lease) return;
        done += 1;
        await queue.ack(lease);
      });
      take.catch(() => undefined);
    }
    for (let i = 0; i < 20; i++) await settle();
    expect(done).toBe(20);
    await queue.close();
  });

  it("is the environment's own where there is one", () => {
    const clock = new VirtualClock();
    const queue = new MemoryQueue(clock);
    expect(createQueue({ clock, queue })).toBe(queue);
    expect(createQueue({ clock })).toBeInstanceOf(MemoryQueue);
  });

  it("takes the snippet's item", async () => {
    const queue = createQueue({ clock: new VirtualClock() }, { concurrency: 3 });
    await queue.enqueue({
      type: 'partition',
      id: 'partition-a-b',
      payload: { startKey: 'a', endKey: 'b' },
      priority: 1,
      attempts: 0,
    });
    expect((await queue.lease())?.item).toMatchObject({ id: 'partition-a-b', payload: { startKey: 'a', endKey: 'b' } });
    await queue.close();
  });
});
