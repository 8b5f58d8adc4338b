import type { AllDocsRow, Dropped } from './page.js';
import type { KeyRange } from './partition.js';
import type { RowTable } from './row-table.js';

/** What one range holds, as far as it was asked. */
export class Listing implements KeyRange {
  /** The range that the rows cover, whole. Shorter than what was asked when the range was cut. */
  readonly startKey: string | null;
  readonly endKey: string | null;
  readonly table: RowTable;
  /** Where the rest begins, when the range holds more than one page: a boundary cut short. */
  readonly rest: string | undefined;
  /** The origin's count of all its rows, as the last page said. */
  readonly totalRows: number;
  readonly dropped: Dropped;

  constructor({ startKey, endKey, table, rest, totalRows, dropped }: Omit<Listing, 'rows'>) {
    this.startKey = startKey;
    this.endKey = endKey;
    this.table = table;
    this.rest = rest;
    this.totalRows = totalRows;
    this.dropped = dropped;
  }

  /** The rows of the table as objects, made anew each time. */
  get rows(): AllDocsRow[] {
    return this.table.toArray();
  }
}
