import { compareBytes, createPartitionKey, encodeOrigin } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { readListing } from '@_all_docs/origin';
import { heldRanges, type KeyRange } from '@_all_docs/partition';
import type { Context } from './context.js';
import { listCheckpoint, listRuns } from './run.js';

/**
 * Deletes what is held of ranges inside `whole` that this pass, proved, has no more use for: partitions of older passes, and
 * what a crash left of this one. Stays: what a later run, or one that is not finished, has listed or may be listing, what the
 * listing that others are shown is made of, and wider ranges. Gives how many were deleted.
 */
export async function dropStalePartitions(
  context: Context,
  whole: KeyRange,
  records: readonly PartitionRecord[],
): Promise<number> {
  const { cache, run } = context;
  const keyOf = ({ startKey, endKey }: KeyRange) => createPartitionKey(startKey, endKey, run.origin);
  const others = await recordsOfOthers(context);
  const used = new Set([...records, ...others, ...(await shownRanges(context))].map(keyOf));
  // A page of theirs is stored before the mark that names its end.
  const open = others.filter(({ state }) => state !== 'complete');
  let dropped = 0;
  for (const range of await heldRanges({ origin: run.origin, storage: cache.driver })) {
    if (used.has(keyOf(range)) || !isWithin(range, whole) || open.some((other) => isWithin(range, other))) continue;
    await cache.driver.delete(keyOf(range));
    dropped += 1;
  }
  return dropped;
}

async function shownRanges({ store, run }: Context): Promise<KeyRange[]> {
  const { parts = [] } = (await readListing(store, run.origin)) ?? {};
  return parts.map(({ startKey }, i) => ({ startKey, endKey: parts[i + 1]?.startKey ?? null }));
}

async function recordsOfOthers({ cache, store, run }: Context): Promise<PartitionRecord[]> {
  const records: PartitionRecord[] = [];
  for (const { id, origin, selection, startedAt, finishedAt } of await listRuns(store)) {
    if (id === run.id || selection.kind !== 'range' || encodeOrigin(origin) !== encodeOrigin(run.origin)) continue;
    if (finishedAt !== undefined && startedAt <= run.startedAt) continue;
    for await (const record of listCheckpoint(cache, id).partitions()) records.push(record);
  }
  return records;
}

function isWithin(inner: KeyRange, outer: KeyRange): boolean {
  const begins =
    outer.startKey === null || (inner.startKey !== null && compareBytes(inner.startKey, outer.startKey) >= 0);
  const ends = outer.endKey === null || (inner.endKey !== null && compareBytes(inner.endKey, outer.endKey) <= 0);
  return begins && ends;
}
