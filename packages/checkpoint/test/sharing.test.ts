import { Partition } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointOn, many, states, three, tile, WatchedStore } from './_set.ts';

fc.configureGlobal({ seed: 20250601 });

const TTL = 1_000;

/** Two processes over one store; `order` says, at random, how long each step of theirs is held up. */
function rivals(order: () => number) {
  const store = new WatchedStore();
  store.before = async () => {
    for (let i = order(); i > 0; i--) await Promise.resolve();
  };
  return { store, a: checkpointOn(store), b: checkpointOn(store) };
}

describe('two checkpoints on one store', () => {
  it('never hand out the same partition, and together all of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 15 }),
        fc.infiniteStream(fc.nat(12)),
        fc.infiniteStream(fc.constantFrom('complete', 'fail', 'split', 'keep')),
        async (count, delays, ends) => {
          const { a, b } = rivals(() => delays.next().value as number);
          await a.recordPartitions(many(count));
          const held: number[] = [];
          const work = async (checkpoint: typeof a, owner: string) => {
            for (;;) {
              const lease = await checkpoint.claim(owner, 0, TTL);
              if (!lease) return;
              const { index, startKey } = lease.record;
              expect(held).not.toContain(index);
              held.push(index);
              const end = ends.next().value;
              if (end === 'complete') await checkpoint.markComplete(index, { rows: 1 });
              else if (end === 'fail') await checkpoint.markFailed(index, 'x');
              else if (end === 'split') {
                const rest = await checkpoint.split(index, `${startKey ?? ''}\0`, { rows: 1 });
                expect(held).not.toContain(rest.index);
                held.push(rest.index);
                await checkpoint.markComplete(rest.index, { rows: 1 });
              }
            }
          };
          await Promise.all([work(a, 'a'), work(a, 'a2'), work(b, 'b')]);
          const records = await b.inOrder();
          expect(held.toSorted((x, y) => x - y)).toEqual(records.map(({ index }) => index).sort((x, y) => x - y));
          expect(tile(records)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('one that crashed loses nothing that it finished', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(20), fc.infiniteStream(fc.nat(5)), async (until, delays) => {
        const { a, b } = rivals(() => delays.next().value as number);
        await a.recordPartitions(many(12));
        const finished: number[] = [];
        for (let step = 0; step < until; step++) {
          const lease = await a.claim('a', 0, TTL);
          if (!lease) break;
          if (step === until - 1) break; // Here it dies, with a partition in its hands.
          await a.markComplete(lease.record.index, { rows: 1 });
          finished.push(lease.record.index);
        }
        for (;;) {
          const lease = await b.claim('b', 0, TTL, (owner) => owner !== 'a');
          if (!lease) break;
          expect(finished).not.toContain(lease.record.index);
          await b.markComplete(lease.record.index, { rows: 1 });
        }
        expect((await b.getProgress()).stats).toMatchObject({ completed: 12, rows: 12 });
      }),
    );
  });

  it('recording the same list at the same time loses no progress', async () => {
    const store = new WatchedStore();
    const [slow, quick] = [checkpointOn(store), checkpointOn(store)];
    let first = true;
    store.before = async () => {
      // The slow one has looked, and seen nothing; before it commits, the quick one starts and gets on.
      if (!first) return;
      first = false;
      await quick.recordPartitions(three());
      await quick.claim('quick', 0, TTL);
      await quick.markComplete(0, { rows: 5 });
    };
    await slow.recordPartitions(three());
    expect(await states(slow)).toEqual(['complete', 'pending', 'pending']);
    expect((await quick.getProgress()).stats.rows).toBe(5);
  });

  it('one that has got on with a list finds the work of another list that was recorded meanwhile', async () => {
    const lists = [Partition.fromPivots(['a', 'b']), Partition.fromPivots(['x', 'y', 'z'])];
    for (const [one, other] of [lists, lists.toReversed()] as [Partition[], Partition[]][]) {
      const store = new WatchedStore();
      const [a, b] = [checkpointOn(store), checkpointOn(store)];
      await a.recordPartitions(one);
      for (let lease = await a.claim('a', 0, TTL); lease; lease = await a.claim('a', 0, TTL))
        await a.markComplete(lease.record.index);
      await b.recordPartitions(other);
      await b.claim('b', 0, TTL);
      expect(await a.isLeasedByOthers('a', 0)).toBe(true);
      expect((await a.claim('a', 0, TTL))?.record.index).toBe(1);
      await a.markComplete(1);
      expect((await states(b)).filter((state) => state === 'complete')).toHaveLength(1);
    }
  });
});
