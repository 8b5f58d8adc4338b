import { compareBytes } from '@_all_docs/cache';
import { PartitionError } from './errors.js';
import { inRange, type KeyRange } from './partition.js';

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
  rows: AllDocsRow[];
  dropped: Dropped;
  /** The row at the range's own end was seen: nothing more can come. */
  passedEnd: boolean;
}

/** The page in `body`. `ERR_BAD_PAGE` when it is not one. */
export function parsePage(body: Uint8Array): AllDocsPage {
  let page: unknown;
  try {
    page = JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new PartitionError('ERR_BAD_PAGE', 'the origin answered _all_docs with something that is not whole JSON', {
      cause,
    });
  }
  const { rows, total_rows } = (page ?? {}) as Partial<AllDocsPage>;
  if (!Array.isArray(rows) || typeof total_rows !== 'number') {
    throw new PartitionError(
      'ERR_BAD_PAGE',
      'the origin answered _all_docs with JSON that has no rows; is it a registry?',
    );
  }
  return page as AllDocsPage;
}

/**
 * The rows of a page that lie in the range and past `after`, strictly increasing. Rows out of place are dropped and
 * counted. `ERR_BAD_PAGE` for a page out of order, since what it left out cannot be known.
 */
export function takeRows(page: AllDocsPage, range: KeyRange, after: string | undefined): TakenPage {
  const dropped: Dropped = { overlap: 0, outside: 0, repeated: 0, foreign: 0 };
  const rows: AllDocsRow[] = [];
  let last = after;
  let passedEnd = false;
  for (const row of page.rows) {
    const id = row?.id;
    if (typeof id !== 'string' || id === '' || !id.isWellFormed() || id.startsWith('_design/')) {
      dropped.foreign += 1;
    } else if (id === range.endKey) {
      passedEnd = true;
      dropped.overlap += 1;
    } else if (!inRange(id, range)) {
      dropped.outside += 1;
    } else if (passedEnd) {
      throw outOfOrder(id, range.endKey);
    } else if (last === undefined || compareBytes(last, id) < 0) {
      rows.push(row);
      last = id;
    } else if (id === last) {
      if (rows.length === 0) dropped.overlap += 1;
      else dropped.repeated += 1;
    } else {
      throw outOfOrder(id, last);
    }
  }
  return { rows, dropped, passedEnd };
}

function outOfOrder(id: string, before: string | null): PartitionError {
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
