import { compareBytes } from '@_all_docs/cache';
import { PartitionError } from './errors.js';
import type { KeyRange } from './partition.js';
import type { RowTable } from './row-table.js';

/** The most rows that the origin gives for one request; asking for more is a 400. */
export const PAGE_LIMIT = 10_000;

const encoder = new TextEncoder();
const DESIGN = encoder.encode('_design/');

/** A row of `_all_docs`. */
export interface AllDocsRow {
  id: string;
  key: string;
  value: { rev: string };
}

/** A page of `_all_docs` as the origin sent it. */
export interface AllDocsPage {
  total_rows: number;
  offset: number;
  rows: AllDocsRow[];
}

/** Rows that were not taken, and why. All but `overlap` are the origin's mistakes. */
export interface Dropped {
  /** The seam: the row a page begins with because keys are inclusive, or the row at the range's own end. */
  overlap: number;
  outside: number;
  repeated: number;
  /** Ids that are no package: null, text that UTF-8 cannot carry, or a design document. */
  foreign: number;
}

export interface TakenPage {
  rows: RowTable;
  dropped: Dropped;
  /** The row at the range's own end was seen: nothing more can come. */
  passedEnd: boolean;
}

/**
 * The rows of a page that lie in the range and past `after`, strictly increasing. Rows out of place are dropped and
 * counted. `ERR_BAD_PAGE` for a page out of order, since what it left out cannot be known.
 */
export function takeRows(page: RowTable, { startKey, endKey }: KeyRange, after: string | undefined): TakenPage {
  const [start, end, before] = [startKey, endKey, after].map((key) => (key == null ? undefined : encoder.encode(key)));
  const dropped: Dropped = { overlap: 0, outside: 0, repeated: 0, foreign: 0 };
  const places = new Uint32Array(page.length);
  let taken = 0;
  let last = 0;
  let passedEnd = false;
  for (let row = 0; row < page.length; row++) {
    const toEnd = end ? page.compareId(row, end) : -1;
    if (!page.hasId(row) || page.idStartsWith(row, DESIGN)) dropped.foreign += 1;
    else if (toEnd === 0) {
      passedEnd = true;
      dropped.overlap += 1;
    } else if (toEnd > 0 || (start && page.compareId(row, start) < 0)) dropped.outside += 1;
    else if (passedEnd) throw outOfOrder(page.id(row), endKey);
    else {
      const order = taken > 0 ? page.compareIds(row, last) : before ? page.compareId(row, before) : 1;
      if (order < 0) throw outOfOrder(page.id(row), taken > 0 ? page.id(last) : after);
      if (order > 0) {
        places[taken++] = row;
        last = row;
      } else if (taken === 0) dropped.overlap += 1;
      else dropped.repeated += 1;
    }
  }
  return { rows: page.pick(places.subarray(0, taken)), dropped, passedEnd };
}

function outOfOrder(id: string, before: string | null | undefined): PartitionError {
  return new PartitionError(
    'ERR_BAD_PAGE',
    `the origin's rows are out of order: ${JSON.stringify(id)} after ${JSON.stringify(before)}`,
  );
}

/** The shortest text `s` with `before < s <= from`: a boundary that separates two names and stays short. */
export function shortestSeparator(before: string, from: string): string {
  let prefix = '';
  for (const character of from) {
    prefix += character;
    if (compareBytes(before, prefix) < 0) return prefix;
  }
  return from;
}
