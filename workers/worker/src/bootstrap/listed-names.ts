import type { AllDocsRow, KeyRange, RowTable } from '@_all_docs/partition';
import { WorkerError } from '../errors.js';
import type { Context } from './context.js';
import type { Wanted, WantedNames } from './walk.js';

/** The stored names of a range. `ERR_LISTING_LOST` when they are gone. */
export async function listedNames({ partitions }: Context, range: KeyRange): Promise<WantedNames> {
  const rows = await partitions.heldTable(range);
  if (rows) return new ListedNames(rows);
  throw new WorkerError(
    'ERR_LISTING_LOST',
    `the stored rows of [${range.startKey}-${range.endKey}) are gone; run partition fetch for this range, then the same command again`,
  );
}

/** Made one at a time as they are asked for: ten thousand wait as the bytes of a page. */
class ListedNames implements WantedNames {
  readonly #rows: RowTable;

  constructor(rows: RowTable) {
    this.#rows = rows;
  }

  get length(): number {
    return this.#rows.length;
  }

  at(place: number): Wanted | undefined {
    const row = this.#rows.at(place);
    return row && toWanted(row);
  }

  *[Symbol.iterator](): Iterator<Wanted> {
    for (const row of this.#rows) yield toWanted(row);
  }
}

function toWanted({ id, value }: AllDocsRow): Wanted {
  return { name: id, rev: value?.rev };
}
