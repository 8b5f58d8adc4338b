import { MemoryOrderedStore } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { Partition } from '@_all_docs/partition';
import { EVERYTHING, learnedPivots, pivotsFor, teachPivots } from '@_all_docs/worker';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { learnPivots } from '../src/bootstrap/learned-pivots.ts';

fc.configureGlobal({ seed: 20250601 });

const ORIGIN = 'https://replicate.example';
const HALF_A_PAGE = 5_000;
const PAGE_AND_A_HALF = 15_000;
const run = (startedAt: number) => ({ origin: ORIGIN, startedAt });

function recordsOf(counts: readonly number[], failed: ReadonlySet<number> = new Set()): PartitionRecord[] {
  const pivots = counts.slice(1).map((_, i) => `p${String(i).padStart(4, '0')}`);
  return Partition.fromPivots(pivots).map(({ startKey, endKey }, index) =>
    failed.has(index)
      ? { index, startKey, endKey, state: 'failed', rows: 0 }
      : { index, startKey, endKey, state: 'complete', rows: counts[index] as number },
  );
}

/** The records that lie in each part that pivots make. */
function insidesOf(pivots: readonly string[], records: readonly PartitionRecord[]): PartitionRecord[][] {
  return Partition.fromPivots(pivots).map((part) =>
    records.filter(({ startKey }) => (startKey === null ? part.startKey === null : part.contains(startKey))),
  );
}

const rowsOf = (records: readonly PartitionRecord[]) => records.reduce((sum, { rows }) => sum + rows, 0);

describe('what a pass teaches', () => {
  it('covers everything, and leaves about 20 parts or fewer, none of which could go with the next', async () => {
    const count = fc.oneof(
      fc.integer({ min: 0, max: 400 }),
      fc.integer({ min: 0, max: 9_999 }),
      fc.constantFrom(9_999, 9_999, 70_000, 200_000),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(count, { minLength: 1, maxLength: 80 }),
        fc.array(fc.nat(79), { maxLength: 4 }),
        async (counts, failing) => {
          const store = new MemoryOrderedStore();
          const records = recordsOf(counts, new Set(failing));
          await learnPivots(store, run(1), EVERYTHING, records);
          const insides = insidesOf(await learnedPivots(store, ORIGIN), records);
          expect(insides.flat()).toEqual(records);
          const most = Math.max(PAGE_AND_A_HALF, rowsOf(records) / 20);
          for (const [i, inside] of insides.entries()) {
            if (inside.length > 1) {
              expect(inside.every(({ state }) => state === 'complete')).toBe(true);
              expect(rowsOf(inside)).toBeLessThan(most);
            }
            const next = insides[i + 1]?.[0];
            if (next && [next, ...inside].every(({ state }) => state === 'complete'))
              expect(rowsOf(inside) + next.rows).toBeGreaterThanOrEqual(most);
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

  it('is for good: passes keep what was set while there is half a page on its two sides', async () => {
    const store = new MemoryOrderedStore();
    const counts = [3_000, 1_000, 1_000, 9_000, 200, 100];
    const pivots = recordsOf(counts).flatMap(({ startKey }) => startKey ?? []);
    const [small = '', , large = '', , last = ''] = pivots;
    await teachPivots(store, ORIGIN, [small, large, last], { now: 1 });
    for (const at of [2, 3]) {
      await learnPivots(store, run(at), EVERYTHING, recordsOf(counts));
      const learned = await learnedPivots(store, ORIGIN);
      expect(learned).toEqual([large, last]);
      const [first = [], second = []] = insidesOf(learned, recordsOf(counts));
      expect(rowsOf(first)).toBeGreaterThanOrEqual(HALF_A_PAGE - 1);
      expect(rowsOf(second)).toBeGreaterThanOrEqual(HALF_A_PAGE);
    }
    await learnPivots(store, run(4), EVERYTHING, recordsOf([10, 10, 10, 10, 10, 10]));
    expect(await learnedPivots(store, ORIGIN)).toEqual([]);
    // What went is forgotten.
    await learnPivots(store, run(5), EVERYTHING, recordsOf(counts));
    expect(await learnedPivots(store, ORIGIN)).toEqual([]);
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
