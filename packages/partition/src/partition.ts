import { compareBytes, createPartitionKey } from '@_all_docs/cache';
import { PartitionError } from './errors.js';

/** A range of names, `[startKey, endKey)` in the order of UTF-8 bytes; `null` ends mean "from the first" and "past the last". */
export interface KeyRange {
  startKey: string | null;
  endKey: string | null;
}

/** One range of one registry. */
export class Partition implements KeyRange {
  readonly startKey: string | null;
  readonly endKey: string | null;
  readonly origin: string;

  /** `ERR_BAD_RANGE` when the end does not lie past the start, or an end is no well-formed text. */
  constructor({ startKey, endKey }: KeyRange, origin = 'npm') {
    assertRange({ startKey, endKey });
    this.startKey = startKey;
    this.endKey = endKey;
    this.origin = origin;
  }

  /**
   * The partitions that pivots cut all names into: one more than there are pivots. The `null` ends are always there,
   * once, whether the list names them or not. `ERR_BAD_PIVOTS` for pivots that are not strings, unsorted or repeated.
   */
  static fromPivots(pivots: readonly (string | null)[], origin = 'npm'): Partition[] {
    const cuts = assertPivots(pivots);
    const starts = [null, ...cuts];
    return starts.map((startKey, i) => new Partition({ startKey, endKey: cuts[i] ?? null }, origin));
  }

  /** The cache key of this range's rows. */
  get key(): string {
    return createPartitionKey(this.startKey, this.endKey, this.origin);
  }

  contains(name: string): boolean {
    return inRange(name, this);
  }

  toString(): string {
    return `[${this.startKey ?? 'null'}-${this.endKey ?? 'null'}]`;
  }
}

export function inRange(name: string, { startKey, endKey }: KeyRange): boolean {
  return (
    (startKey === null || compareBytes(name, startKey) >= 0) && (endKey === null || compareBytes(name, endKey) < 0)
  );
}

/** Order of ranges: by start, `null` first. */
export function compareRanges(a: KeyRange, b: KeyRange): number {
  if (a.startKey === null || b.startKey === null) return a.startKey === b.startKey ? 0 : a.startKey === null ? -1 : 1;
  return compareBytes(a.startKey, b.startKey);
}

/** `ERR_BAD_RANGE` unless this is a range that can hold a name. */
export function assertRange({ startKey, endKey }: KeyRange): void {
  for (const key of [startKey, endKey]) {
    if (key !== null && (typeof key !== 'string' || key === '' || !key.isWellFormed())) {
      throw new PartitionError(
        'ERR_BAD_RANGE',
        `not the end of a range: ${JSON.stringify(key)}; use a non-empty string, or null`,
      );
    }
  }
  if (startKey !== null && endKey !== null && compareBytes(startKey, endKey) >= 0) {
    throw new PartitionError(
      'ERR_BAD_RANGE',
      `the range is empty: ${JSON.stringify(startKey)} does not sort before ${JSON.stringify(endKey)} by its UTF-8 bytes; give a start that comes before the end`,
    );
  }
}

function assertPivots(pivots: readonly (string | null)[]): string[] {
  if (!Array.isArray(pivots)) throw new PartitionError('ERR_BAD_PIVOTS', 'pivots must be an array of strings');
  const last = pivots.length - 1;
  const cuts = pivots.filter((pivot, i): pivot is string => pivot !== null || (i !== 0 && i !== last));
  cuts.forEach((pivot, i) => {
    if (typeof pivot !== 'string' || pivot === '' || !pivot.isWellFormed()) {
      throw new PartitionError(
        'ERR_BAD_PIVOTS',
        `pivot ${i} is not a non-empty string: ${JSON.stringify(pivot) ?? String(pivot)}; give a sorted list of names or their beginnings`,
      );
    }
    const before = cuts[i - 1];
    if (before === undefined || compareBytes(before, pivot) < 0) return;
    const what = before === pivot ? 'is there twice' : `must not come after ${JSON.stringify(before)}`;
    throw new PartitionError(
      'ERR_BAD_PIVOTS',
      `pivot ${i}, ${JSON.stringify(pivot)}, ${what}; sort pivots by their UTF-8 bytes (LC_ALL=C sort -u)`,
    );
  });
  return cuts;
}
