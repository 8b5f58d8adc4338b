import type { KeyRange } from '@_all_docs/partition';

/** What the feed said last about one name. */
export interface Change {
  seq: number;
  name: string;
  /** `undefined` where the feed gave none. */
  rev: string | undefined;
  deleted: boolean;
}

/** What was followed since the listing: one row for each name that changed, at its latest sequence. */
export interface ChangeSource {
  /** Rows with a higher sequence than `since`, by sequence, at most `limit`. */
  after(since: number, limit: number): Promise<Change[]>;
  /** Rows of names in `[startKey, endKey)`, in the order of their bytes. */
  byName(range: KeyRange): AsyncIterable<Change>;
  /** The highest sequence; `undefined` when there is no row. */
  head(): Promise<number | undefined>;
}

/** Of a replica that does not follow. */
export const noChanges: ChangeSource = {
  after: async () => [],
  async *byName() {},
  head: async () => undefined,
};
