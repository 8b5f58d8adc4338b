import { type CoveredPartition, mergeSmall, PAGE_LIMIT, Partition, proveCoverage } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

fc.configureGlobal({ seed: 20250601 });

/** Touching partitions with these rows. */
function partitionsOf(rows: readonly (number | undefined)[]): CoveredPartition[] {
  const pivots = rows.slice(1).map((_, i) => `p${String(i).padStart(4, '0')}`);
  return Partition.fromPivots(pivots).map(({ startKey, endKey }, i) => ({ startKey, endKey, rows: rows[i] }));
}

const rowsOf = (partitions: readonly CoveredPartition[]) => partitions.map(({ rows }) => rows);

const count = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: PAGE_LIMIT }),
  fc.constantFrom(PAGE_LIMIT / 2 - 1, PAGE_LIMIT / 2, PAGE_LIMIT - 1),
);

describe('mergeSmall', () => {
  it('covers everything, loses no row and no known boundary, fills no page, and leaves nothing to merge', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(count, { nil: undefined, freq: 8 }), { minLength: 1, maxLength: 40 }),
        async (rows) => {
          const before = partitionsOf(rows);
          const after = mergeSmall(before);
          const { problems } = await proveCoverage(after, async () => [], { startKey: null, endKey: null });
          expect(problems.filter(({ kind }) => kind === 'gap' || kind === 'overlap')).toEqual([]);
          const sum = (list: readonly CoveredPartition[]) => list.reduce((total, part) => total + (part.rows ?? 0), 0);
          expect(sum(after)).toBe(sum(before));

          const starts = new Map(before.map((part) => [part.startKey, part]));
          const same = (part: CoveredPartition) => starts.get(part.startKey)?.endKey === part.endKey;
          for (const part of after) {
            expect(starts.has(part.startKey)).toBe(true);
            if (same(part)) expect(part).toEqual(starts.get(part.startKey));
            else expect(part.rows).toBeLessThan(PAGE_LIMIT / 2);
          }
          for (const [i, { rows: own }] of after.entries()) {
            const next = after[i + 1]?.rows;
            if (own !== undefined && next !== undefined) expect(own + next).toBeGreaterThanOrEqual(PAGE_LIMIT / 2);
          }
          expect(mergeSmall(after)).toEqual(after);
        },
      ),
    );
  });

  it.each([
    ['one, however small', [0], [0]],
    ['empty neighbours', [0, 0, 0, 0], [0]],
    ['an empty one into the next', [9_999, 0, 4_000, 9_999], [9_999, 4_000, 9_999]],
    ['just under half a page', [2_499, 2_500], [4_999]],
    ['not half a page', [2_500, 2_500], [2_500, 2_500]],
    ['nothing into a full one', [9_999, 3, 9_999], [9_999, 3, 9_999]],
    ['nothing over what is not known', [1, undefined, 1, 1], [1, undefined, 2]],
  ])('merges %s', (_, rows, merged) => {
    expect(rowsOf(mergeSmall(partitionsOf(rows)))).toEqual(merged);
  });

  it('leaves alone what does not touch', () => {
    const apart = [
      { startKey: null, endKey: 'b', rows: 1 },
      { startKey: 'c', endKey: 'd', rows: 1 },
      { startKey: null, endKey: null, rows: 1 },
    ];
    expect(mergeSmall(apart.slice(0, 2))).toEqual(apart.slice(0, 2));
    expect(mergeSmall([apart[2] as CoveredPartition, apart[0] as CoveredPartition])).toHaveLength(2);
  });
});
