import { MemoryOrderedStore } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { Partition } from '@_all_docs/partition';
import { EVERYTHING, learnedPivots, pivotsFor, teachPivots } from '@_all_docs/worker';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learnPivots } from '../src/bootstrap/learned-pivots.ts';
import { codeOf } from './_env.ts';

fc.configureGlobal({ seed: 20250601 });

const ORIGIN = 'https://replicate.example';
const HALF = 5_000;
const run = (startedAt: number) => ({ origin: ORIGIN, startedAt });

function recordsOf(counts: readonly number[], failed: ReadonlySet<number> = new Set()): PartitionRecord[] {
  const pivots = counts.slice(1).map((_, i) => `p${String(i).padStart(4, '0')}`);
  return Partition.fromPivots(pivots).map(({ startKey, endKey }, index) =>
    failed.has(index)
      ? { index, startKey, endKey, state: 'failed', rows: 0 }
      : { index, startKey, endKey, state: 'complete', rows: counts[index] as number },
  );
}

describe('what a pass teaches', () => {
  it('covers everything, drops only boundaries between small neighbours, and loses no row', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 9_999 })), {
          minLength: 1,
          maxLength: 60,
        }),
        fc.array(fc.nat(59), { maxLength: 4 }),
        async (counts, failing) => {
          const store = new MemoryOrderedStore();
          const failed = new Set(failing);
          const records = recordsOf(counts, failed);
          await learnPivots(store, run(1), EVERYTHING, records);
          const next = Partition.fromPivots(await learnedPivots(store, ORIGIN));
          const insides = next.map((part) =>
            records.filter(({ startKey }) => (startKey === null ? part.startKey === null : part.contains(startKey))),
          );
          expect(insides.flat()).toEqual(records);
          for (const inside of insides) {
            if (inside.length === 1) continue;
            expect(inside.every(({ state }) => state === 'complete')).toBe(true);
            expect(inside.reduce((sum, { rows }) => sum + rows, 0)).toBeLessThan(HALF);
          }
        },
      ),
    );
  });

  it('is not learned from a part of the names, nor from a pass that began before the last lesson', async () => {
    const store = new MemoryOrderedStore();
    await learnPivots(store, run(1), { startKey: 'a', endKey: null }, recordsOf([9_000, 9_000]));
    expect(await learnedPivots(store, ORIGIN)).toEqual([]);
    await learnPivots(store, run(5), EVERYTHING, recordsOf([9_000, 9_000]));
    await learnPivots(store, run(4), EVERYTHING, recordsOf([9_000]));
    expect(await learnedPivots(store, ORIGIN)).toEqual(['p0000']);
    await learnPivots(store, run(6), EVERYTHING, recordsOf([9_000]));
    expect(await learnedPivots(store, ORIGIN)).toEqual([]);
  });

  it('goes before first pivots, also when it is one partition; pivots of the selection go before both', async () => {
    const store = new MemoryOrderedStore();
    expect(await pivotsFor(store, ORIGIN, {})).toEqual([]);
    expect(await pivotsFor(store, ORIGIN, { firstPivots: ['m'] })).toEqual(['m']);
    await learnPivots(store, run(1), EVERYTHING, recordsOf([10]));
    expect(await pivotsFor(store, ORIGIN, { firstPivots: ['m'] })).toEqual([]);
    expect(await pivotsFor(store, ORIGIN, { firstPivots: ['m'], pivots: ['x'] })).toEqual(['x']);
    expect(await pivotsFor(store, 'https://another.example', { firstPivots: ['m'] })).toEqual(['m']);
  });

  it('is read from the bare list that the first replicas kept', async () => {
    const store = new MemoryOrderedStore();
    await learnPivots(store, run(1), EVERYTHING, recordsOf([9_000]));
    const key = `v1:pivots:${encodeURIComponent(ORIGIN)}`;
    expect(await store.get(key)).toBeDefined();
    await store.commit([{ key, value: '["a","b"]' }]);
    expect(await learnedPivots(store, ORIGIN)).toEqual(['a', 'b']);
    await learnPivots(store, run(1), EVERYTHING, recordsOf([9_000, 9_000]));
    expect(await learnedPivots(store, ORIGIN)).toEqual(['p0000']);
  });
});

describe('teachPivots', () => {
  it('adds, sorted and once, to what is learned, else to the first pivots', async () => {
    const store = new MemoryOrderedStore();
    expect(await teachPivots(store, ORIGIN, ['z', 'a'], { now: 5, first: ['m', 'z'] })).toEqual(['a', 'm', 'z']);
    expect(await teachPivots(store, ORIGIN, ['B'], { now: 6, first: ['q'] })).toEqual(['B', 'a', 'm', 'z']);
    expect(await learnedPivots(store, ORIGIN)).toEqual(['B', 'a', 'm', 'z']);
    // A pass that was begun before does not undo it.
    await learnPivots(store, run(5), EVERYTHING, recordsOf([1]));
    expect(await learnedPivots(store, ORIGIN)).toHaveLength(4);
  });

  it('loses nothing of two at once, and changes nothing for a pivot that cannot be one', async () => {
    const store = new MemoryOrderedStore();
    const added = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    await Promise.all(added.map((key, now) => teachPivots(store, ORIGIN, [key], { now })));
    expect(await learnedPivots(store, ORIGIN)).toEqual(added);
    expect(await codeOf(() => teachPivots(store, ORIGIN, ['ok', ''], { now: 9 }))).toBe('ERR_BAD_PIVOTS');
    expect(await learnedPivots(store, ORIGIN)).toEqual(added);
  });
});
