import { concat } from '@_all_docs/http';
import type { Change } from './change-source.js';
import type { MergedList, NameBounds } from './merged-list.js';
import type { AllDocsQuery } from './query.js';

const encoder = new TextEncoder();
const COMMA = encoder.encode(',');

/** A page of `_all_docs` as npm writes it, in UTF-8. Stored rows are copied as they lie; none becomes an object. */
export async function writeAllDocs(list: MergedList, query: AllDocsQuery): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let left = query.limit;
  for await (const { rows, bytes } of runs(list, query)) {
    if (left <= 0) break;
    if (pieces.length > 0) pieces.push(COMMA);
    pieces.push(bytes(left));
    left -= rows;
  }
  const [total, offset] = [await list.total(), await list.offset(query.start)];
  pieces.unshift(encoder.encode(`{"total_rows":${total},"offset":${offset},"rows":[\n`));
  pieces.push(encoder.encode('\n]}\n'));
  return concat(
    pieces,
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
}

/** Rows side by side, from the start of the query to its end. `bytes` gives at most so many of them. */
async function* runs(
  list: MergedList,
  { start, end, inclusiveEnd }: AllDocsQuery,
): AsyncIterable<{ rows: number; bytes: (most: number) => Uint8Array }> {
  const bounds: NameBounds = { start: utf8(start), end: utf8(end), inclusiveEnd };
  const last = end === null ? list.listing.parts.length - 1 : list.partOf(end);
  for (let part = list.partOf(start); part <= last; part++) {
    for await (const segment of list.segments(part, bounds)) {
      if ('change' in segment) {
        const { change, listed } = segment;
        if (!change.deleted) yield { rows: 1, bytes: () => encoder.encode(rowOf(change, listed)) };
      } else {
        const { table, from, to } = segment;
        const bytes = (most: number) => table.slice(from, Math.min(to, from + most)).toJson('', '');
        if (to > from) yield { rows: to - from, bytes };
      }
    }
  }
}

/** A row of `_all_docs`. The feed may have no revision for a name: then the listed one is the best there is. */
function rowOf({ name, rev }: Change, listed: string | undefined): string {
  const id = JSON.stringify(name);
  return `{"id":${id},"key":${id},"value":{"rev":${JSON.stringify(rev ?? listed ?? null)}}}`;
}

function utf8(key: string | null): Uint8Array | undefined {
  return key === null ? undefined : encoder.encode(key);
}
