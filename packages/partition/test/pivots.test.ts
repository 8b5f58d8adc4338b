import { compareBytes } from '@_all_docs/cache';
import { addPivots, cutNames, measureBalance, Partition } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '@', '/', 'é', '\uff5e', '\u{1f600}'),
  minLength: 1,
  maxLength: 6,
});
const sorted = (names: Iterable<string>) => [...new Set(names)].sort(compareBytes);
const names = fc.array(name, { maxLength: 80 }).map(sorted);
const keep = fc.array(name, { maxLength: 5 }).map(sorted);

describe('cutNames', () => {
  it('leaves at most so many names in a partition, keeps what is to be kept, and gives pivots in order', async () => {
    await fc.assert(
      fc.asyncProperty(names, fc.integer({ min: 1, max: 20 }), keep, async (list, rows, kept) => {
        const pivots = await cutNames(list, rows, kept);
        expect(() => Partition.fromPivots(pivots)).not.toThrow();
        expect(pivots).toEqual(expect.arrayContaining(kept));
        const { counts, max, names: total } = await measureBalance(list, pivots);
        expect(total).toBe(list.length);
        expect(max).toBeLessThanOrEqual(rows);
        // No more cuts than needed: each takes at least 85 % of what it may (of the last before a kept one, what is left).
        const least = Math.max(1, Math.ceil(rows * 0.85));
        if (kept.length === 0) for (const count of counts.slice(0, -1)) expect(count).toBeGreaterThanOrEqual(least);
        for (const pivot of pivots) expect(pivot.isWellFormed()).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('takes the shortest place near the end of a partition', async () => {
    const list = [...Array.from({ length: 18 }, (_, i) => `react-x${String.fromCharCode(97 + i)}`), 's', 'sa', 'sb'];
    expect(await cutNames(list, 20)).toEqual(['s']);
    expect(await cutNames(list, 100)).toEqual([]);
  });

  it('reads a stream of many names without keeping them', async () => {
    function* million() {
      for (let i = 0; i < 1_000_000; i++) yield `pkg-${String(i).padStart(7, '0')}`;
    }
    const pivots = await cutNames(million(), 8_000);
    const { max, min, partitions, overflowing } = await measureBalance(million(), pivots);
    expect({ most: max <= 8_000, overflowing, partitions: partitions <= 148 }).toEqual({
      most: true,
      overflowing: 0,
      partitions: true,
    });
    expect(min).toBeGreaterThan(0);
    expect(Math.max(...pivots.map(({ length }) => length))).toBeLessThanOrEqual('pkg-0000'.length);
  });

  it('counts a repeated name once and refuses what is out of order', async () => {
    expect(await cutNames(['a', 'a', 'a', 'b'], 2)).toEqual([]);
    expect(await codeOf(() => cutNames(['b', 'a'], 2))).toBe('ERR_BAD_NAMES');
    expect(await codeOf(() => cutNames(['\u{1f600}', '\uff5e'], 2))).toBe('ERR_BAD_NAMES');
    await expect(cutNames([], 0)).rejects.toThrow(RangeError);
  });
});

describe('measureBalance', () => {
  it('counts as the partitions contain', async () => {
    await fc.assert(
      fc.asyncProperty(names, keep, async (list, pivots) => {
        const { counts, empty, partitions } = await measureBalance(list, pivots);
        const expected = Partition.fromPivots(pivots).map((part) => list.filter((id) => part.contains(id)).length);
        expect(counts).toEqual(expected);
        expect(partitions).toBe(pivots.length + 1);
        expect(empty).toBe(expected.filter((count) => count === 0).length);
      }),
    );
  });

  it('sums up', async () => {
    const all = ['a', 'b', 'c', 'd', 'x'];
    expect(await measureBalance(all, ['b', 'm', 'y'])).toEqual({
      partitions: 4,
      names: 5,
      empty: 1,
      min: 0,
      median: 1,
      max: 3,
      ratio: 3,
      overflowing: 0,
      counts: [1, 3, 1, 0],
    });
    expect(await measureBalance([], [])).toMatchObject({ partitions: 1, names: 0, ratio: undefined });
    expect(await measureBalance(many(10_000), [])).toMatchObject({ overflowing: 1 });
    expect(await measureBalance(many(9_999), [])).toMatchObject({ overflowing: 0 });
    expect(await codeOf(() => measureBalance(all, ['b', 'a']))).toBe('ERR_BAD_PIVOTS');
  });
});

function* many(count: number): Iterable<string> {
  for (let i = 0; i < count; i++) yield String(i).padStart(6, '0');
}

describe('addPivots', () => {
  it('sorts by bytes and takes each once', () => {
    fc.assert(
      fc.property(keep, fc.array(name, { maxLength: 5 }), (pivots, added) => {
        expect(addPivots(pivots, added)).toEqual(sorted([...pivots, ...added]));
      }),
    );
  });

  it.each([[''], ['\ud800'], [5]])('refuses %j', async (pivot) => {
    expect(await codeOf(() => addPivots(['a'], [pivot as string]))).toBe('ERR_BAD_PIVOTS');
  });
});
