/** A row that a commit writes (`value`) or removes (`undefined`). */
export interface RowChange {
  key: string;
  value: string | undefined;
}

/** What a row must be for a commit to happen: its exact value, or `undefined` for "not there". */
export type RowExpectation = RowChange;

export interface RowRange {
  /** First key, inclusive; from the first row when absent. */
  start?: string | undefined;
  /** End, exclusive; to the last row when absent. */
  end?: string | undefined;
  /** Only rows past this key. */
  after?: string | undefined;
  limit?: number | undefined;
}

/**
 * Small rows in the order of their keys' bytes, changed in transactions: index, checkpoints, cursors, leases.
 * Values are text; whoever writes a row decides what it says.
 */
export interface OrderedStore {
  /** The row's value; `undefined` on a miss. */
  get(key: string): Promise<string | undefined>;
  /** Rows of a range in order. Rows committed while the listing runs may or may not be seen; none is seen twice. */
  list(range?: RowRange): AsyncIterable<[key: string, value: string]>;
  /**
   * All changes or none. `false`, and nothing is changed, when an expectation does not hold (compare-and-set).
   * Resolves after the commit is durable to the store's level.
   */
  commit(changes: readonly RowChange[], expect?: readonly RowExpectation[]): Promise<boolean>;
}

/** The range of all keys that begin with `prefix`: its end is the prefix with its last character raised by one. */
export function prefixRange(prefix: string): { start?: string; end?: string } {
  if (prefix === '') return {};
  const characters = [...prefix];
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const code = last.codePointAt(0) as number;
    // Past the last character there is none: the one before is raised instead. Surrogates are no characters.
    if (code === 0x10ffff) continue;
    const next = code === 0xd7ff ? 0xe000 : code + 1;
    return { start: prefix, end: characters.join('') + String.fromCodePoint(next) };
  }
  return { start: prefix };
}
