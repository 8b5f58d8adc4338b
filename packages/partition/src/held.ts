import { compareBytes, createPartitionPrefix, createStorageDriver, decodeCacheKey } from '@_all_docs/cache';
import { compareRanges, type KeyRange } from './partition.js';
import type { PartitionClient, PartitionEnv } from './partition-client.js';
import type { RowTable } from './row-table.js';

/** All ranges of an origin whose rows are stored, by start, the wider one first. They may overlap where several passes were made. */
export async function heldRanges(env: Pick<PartitionEnv, 'origin' | 'storage'>): Promise<KeyRange[]> {
  const storage = await createStorageDriver(env);
  const ranges: KeyRange[] = [];
  for await (const key of storage.list(createPartitionPrefix(env.origin))) {
    const decoded = decodeCacheKey(key);
    if (decoded.type === 'partition') ranges.push({ startKey: decoded.startKey, endKey: decoded.endKey });
  }
  return ranges.sort((a, b) => compareRanges(a, b) || -compareEnds(a.endKey, b.endKey));
}

/** The names stored in these ranges (as {@link heldRanges} gives them), each once and in order; one range at a time is in memory. */
export async function* heldNames(client: PartitionClient, ranges: readonly KeyRange[]): AsyncIterable<string> {
  for await (const { id } of places(client, ranges)) yield id;
}

/** {@link heldNames} with the revision that the listing gave for each. */
export async function* heldRows(
  client: PartitionClient,
  ranges: readonly KeyRange[],
): AsyncIterable<{ name: string; rev: string | undefined }> {
  for await (const { id, rows, row } of places(client, ranges)) yield { name: id, rev: rows.at(row)?.value?.rev };
}

async function* places(
  client: PartitionClient,
  ranges: readonly KeyRange[],
): AsyncIterable<{ id: string; rows: RowTable; row: number }> {
  let end: string | null | undefined;
  let last: string | undefined;
  for (const range of ranges) {
    // Inside of what was read already: a pass over a part of a wider one.
    if (end !== undefined && compareEnds(range.endKey, end) <= 0) continue;
    const rows = await client.heldTable(range);
    for (let row = 0; rows && row < rows.length; row++) {
      const id = rows.id(row);
      if (last !== undefined && compareBytes(id, last) <= 0) continue;
      yield { id, rows, row };
      last = id;
    }
    end = range.endKey;
  }
}

/** Order of the ends of ranges: `null` is past every name. */
function compareEnds(a: string | null, b: string | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return compareBytes(a, b);
}
