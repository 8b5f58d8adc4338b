import { compareBytes } from '@_all_docs/cache';
import type { KeyRange, RowTable } from '@_all_docs/partition';
import type { Change, ChangeSource } from './change-source.js';
import { lowerBound, type PartTables } from './part-tables.js';
import type { PublishedListing } from './published-listing.js';

/** Rows `[from, to)` of a stored partition as they are, or one name as the feed has it since. */
export type Segment = { table: RowTable; from: number; to: number } | { change: Change; listed: string | undefined };

/** Which names of a partition: from `start` on, up to `end` (with it, where inclusive); `undefined` is no bound. */
export interface NameBounds {
  start: Uint8Array | undefined;
  end: Uint8Array | undefined;
  inclusiveEnd: boolean;
}

/** How a partition's merged rows differ from its stored ones. */
interface Difference {
  changed: boolean;
  rows: number;
}

const encoder = new TextEncoder();
const CHANGES = 10_000;

/** A published listing merged with what changed since: newer revisions, new names, and without those that were deleted. */
export class MergedList {
  readonly listing: PublishedListing;
  readonly #tables: PartTables;
  readonly #changes: ChangeSource;
  readonly #differences: (Difference | undefined)[];
  #head: number | undefined;

  constructor(listing: PublishedListing, tables: PartTables, changes: ChangeSource) {
    this.listing = listing;
    this.#tables = tables;
    this.#changes = changes;
    this.#differences = listing.parts.map(() => undefined);
  }

  rangeOf(part: number): KeyRange {
    const { parts } = this.listing;
    return { startKey: parts[part]?.startKey ?? null, endKey: parts[part + 1]?.startKey ?? null };
  }

  /** The partition that a name belongs to. */
  partOf(name: string | null): number {
    const { parts } = this.listing;
    if (name === null) return 0;
    let low = 0;
    let high = parts.length;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(parts[middle]?.startKey as string, name) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Names in all. */
  async total(): Promise<number> {
    await this.#refresh();
    return this.#rowsBefore(this.listing.parts.length);
  }

  /** Names before this one. */
  async offset(start: string | null): Promise<number> {
    if (start === null) return 0;
    await this.#refresh();
    const part = this.partOf(start);
    let rows = await this.#rowsBefore(part);
    const end = encoder.encode(start);
    for await (const segment of this.segments(part, { start: undefined, end, inclusiveEnd: false }))
      rows += 'change' in segment ? Number(!segment.change.deleted) : segment.to - segment.from;
    return rows;
  }

  /** Whether nothing changed in a partition since it was listed: its stored bytes are the whole truth. */
  async isUnchanged(part: number): Promise<boolean> {
    await this.#refresh();
    return !(await this.#difference(part)).changed;
  }

  /** The names of one partition in order: runs of stored rows, and between them what changed, deletions included. */
  async *segments(part: number, { start, end, inclusiveEnd }: NameBounds): AsyncIterable<Segment> {
    const range = this.rangeOf(part);
    const { table } = await this.#tables.get(range);
    let at = start ? lowerBound(table, start) : 0;
    const stop = end ? lowerBound(table, end, inclusiveEnd) : table.length;
    for await (const change of this.#since(range)) {
      const name = encoder.encode(change.name);
      if (start && compareKeys(name, start) < 0) continue;
      const toEnd = end ? compareKeys(name, end) : -1;
      if (toEnd > 0 || (toEnd === 0 && !inclusiveEnd)) break;
      const place = lowerBound(table, name);
      if (place > at) yield { table, from: at, to: place };
      const isListed = place < table.length && table.compareId(place, name) === 0;
      at = isListed ? place + 1 : place;
      yield { change, listed: isListed ? table.at(place)?.value?.rev : undefined };
    }
    if (at < stop) yield { table, from: at, to: stop };
  }

  /** What the listing does not know yet. */
  async *#since(range: KeyRange): AsyncIterable<Change> {
    const { updateSeq = 0 } = this.listing;
    for await (const change of this.#changes.byName(range)) if (change.seq > updateSeq) yield change;
  }

  async #rowsBefore(part: number): Promise<number> {
    let rows = 0;
    for (let i = 0; i < part; i++) rows += (this.listing.parts[i]?.rows ?? 0) + (await this.#difference(i)).rows;
    return rows;
  }

  async #difference(part: number): Promise<Difference> {
    const known = this.#differences[part];
    if (known) return known;
    const head = this.#head;
    const difference = await this.#compare(part);
    // What came while it was counted may or may not be in it.
    if (this.#head === head) this.#differences[part] = difference;
    return difference;
  }

  async #compare(part: number): Promise<Difference> {
    const range = this.rangeOf(part);
    const difference: Difference = { changed: false, rows: 0 };
    let table: RowTable | undefined;
    for await (const { name, deleted } of this.#since(range)) {
      // Nearly all partitions of a replica that just listed have no changes: their rows need not be read.
      table ??= (await this.#tables.get(range)).table;
      difference.changed = true;
      const key = encoder.encode(name);
      const place = lowerBound(table, key);
      const isListed = place < table.length && table.compareId(place, key) === 0;
      if (deleted === isListed) difference.rows += deleted ? -1 : 1;
    }
    return difference;
  }

  /** Forgets what was counted of partitions in which something changed since. */
  async #refresh(): Promise<void> {
    const { updateSeq = 0 } = this.listing;
    const head = await this.#changes.head();
    const before = this.#head;
    if (head === before) return;
    if (head === undefined || before === undefined || head < before) this.#differences.fill(undefined);
    else {
      for (let since = Math.max(before, updateSeq); since < head; ) {
        const changes = await this.#changes.after(since, CHANGES);
        for (const { name } of changes) this.#differences[this.partOf(name)] = undefined;
        since = changes.at(-1)?.seq ?? head;
      }
    }
    this.#head = head;
  }
}

/** Order of two names as UTF-8. */
function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
