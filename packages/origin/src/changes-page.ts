import type { Change, ChangeSource } from './change-source.js';
import { OriginError } from './errors.js';
import type { MergedList } from './merged-list.js';
import { lost, type PartTables } from './part-tables.js';
import { placeAfter, seqOf } from './sequences.js';

export interface ChangesQuery {
  since: number;
  limit: number;
}

/** The sequence that a replica has reached: what was followed, else what was read before the listing. `undefined` without a feed. */
export async function updateSeqOf({ listing }: MergedList, changes: ChangeSource): Promise<number | undefined> {
  const { updateSeq, shift } = listing;
  if (updateSeq === undefined) return undefined;
  return Math.max(updateSeq, (await changes.head()) ?? 0) + shift;
}

/**
 * A page of `_changes` as npm writes it: the names of the listing in their order, then what was followed since.
 *
 * What it promises: whoever begins at 0 and goes on from each `last_seq` until a page brings nothing has then seen every
 * name at its newest revision, and every deletion that was followed since the listing, however much is followed on the way.
 * Each name comes once, unless it changes meanwhile. When the replica is listed anew on the way, whoever stands before the
 * new listing's sequence begins again: all names come once more, from a sequence below `since` on. Names that are in the
 * old listing and not in the new one are told by nobody, so a follower that keeps names lists them anew then.
 *
 * `ERR_NO_FEED` where the origin has none, `ERR_LISTING_RENEWED` while a partition is being replaced whose places are asked for.
 */
export async function writeChanges(
  list: MergedList,
  { tables, changes }: { tables: PartTables; changes: ChangeSource },
  { since, limit }: ChangesQuery,
): Promise<string> {
  // Before any row is read: what is followed meanwhile must not be skipped by `last_seq`.
  const head = await updateSeqOf(list, changes);
  const { listing } = list;
  if (head === undefined || listing.updateSeq === undefined) {
    throw new OriginError('ERR_NO_FEED', 'the origin that this replica was listed from has no feed of changes');
  }
  if (since >= head) return page([], since);
  const rows: Row[] = [];
  const place = placeAfter(since, { ...listing, updateSeq: listing.updateSeq });
  if (place !== undefined && limit > 0) {
    for await (const row of listedAfter(list, tables, place)) {
      rows.push(row);
      // Not a row further: the partition that it is in may be one that is being replaced.
      if (rows.length >= limit) break;
    }
  }
  const { shift, updateSeq } = listing;
  if (rows.length < limit) {
    const from = Math.max(updateSeq, since - shift);
    for (const change of await changes.after(from, limit - rows.length)) rows.push(toRow(change, shift));
  }
  const last = rows.at(-1)?.seq;
  return page(rows, rows.length < limit ? Math.max(head, last ?? 0) : (last ?? since));
}

interface Row {
  seq: number;
  id: string;
  rev: string | null;
  deleted: boolean;
}

/** Names of the listing from a place on that have not changed since: those come later, at their own sequence. */
async function* listedAfter(list: MergedList, tables: PartTables, first: number): AsyncIterable<Row> {
  const { parts, generation } = list.listing;
  let before = 0;
  for (const [part, { rows, digest }] of parts.entries()) {
    const skipped = Math.max(0, first - before);
    if (skipped < rows) {
      const stored = await tables.get(list.rangeOf(part));
      if (stored.digest !== digest) throw renewed();
      const start = new TextEncoder().encode(stored.table.id(skipped));
      for await (const segment of list.segments(part, { start, end: undefined, inclusiveEnd: true })) {
        if ('change' in segment) continue;
        if (segment.table !== stored.table) throw renewed();
        for (let row = segment.from; row < segment.to; row++) {
          const listed = segment.table.at(row);
          if (!listed) throw lost(list.rangeOf(part));
          yield { seq: seqOf(before + row, generation), id: listed.id, rev: listed.value?.rev ?? null, deleted: false };
        }
      }
    }
    before += rows;
  }
}

function toRow({ seq, name, rev = undefined, deleted }: Change, shift: number): Row {
  return { seq: seq + shift, id: name, rev: rev ?? null, deleted };
}

function page(rows: readonly Row[], lastSeq: number): string {
  const lines = rows.map(
    ({ seq, id, rev, deleted }) =>
      `{"seq":${seq},"id":${JSON.stringify(id)},"changes":[{"rev":${JSON.stringify(rev)}}]${deleted ? ',"deleted":true' : ''}}`,
  );
  return `{"results":[\n${lines.join(',\n')}\n],"last_seq":${lastSeq}}\n`;
}

function renewed(): OriginError {
  return new OriginError('ERR_LISTING_RENEWED', 'this replica is being listed anew; ask again in a while');
}
