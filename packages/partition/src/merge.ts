import type { CoveredPartition } from './coverage.js';
import { PAGE_LIMIT } from './partition-client.js';

/**
 * Neighbours that together hold fewer than `below` rows (half a page unless told) become one partition; all others stay.
 * Takes the partitions in the order of their ranges and gives them so. One whose rows are not known is left alone, and
 * so are two that do not touch.
 */
export function mergeSmall(
  partitions: readonly CoveredPartition[],
  below: number = PAGE_LIMIT / 2,
): CoveredPartition[] {
  const merged: CoveredPartition[] = [];
  for (const { startKey, endKey, rows } of partitions) {
    const before = merged.at(-1);
    if (before && before.endKey === startKey && startKey !== null && sum(before.rows, rows) < below) {
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
