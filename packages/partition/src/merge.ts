import type { CoveredPartition } from './coverage.js';
import { PAGE_LIMIT } from './page.js';

const HALF_A_PAGE = PAGE_LIMIT / 2;

/**
 * Neighbours that together hold fewer than `below` rows (half a page unless told) become one partition; all others stay.
 * A boundary of `keep` goes only where less than half a page would be left. Takes the partitions in the order of their
 * ranges and gives them so. One whose rows are not known is left alone, and so are two that do not touch.
 */
export function mergeSmall(
  partitions: readonly CoveredPartition[],
  below: number = HALF_A_PAGE,
  keep: ReadonlySet<string> = new Set(),
): CoveredPartition[] {
  const merged: CoveredPartition[] = [];
  for (const { startKey, endKey, rows } of partitions) {
    const before = merged.at(-1);
    const touches = before !== undefined && startKey !== null && before.endKey === startKey;
    if (touches && sum(before.rows, rows) < (keep.has(startKey) ? HALF_A_PAGE : below)) {
      merged[merged.length - 1] = { startKey: before.startKey, endKey, rows: sum(before.rows, rows) };
    } else {
      merged.push({ startKey, endKey, rows });
    }
  }
  return merged;
}

/** Not a number, hence below nothing, when either is unknown. */
function sum(a: number | undefined, b: number | undefined): number {
  return (a ?? Number.NaN) + (b ?? Number.NaN);
}
