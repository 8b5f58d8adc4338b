import { type OrderedStore, prefixRange, type RowChange, type RowExpectation } from '@_all_docs/cache';
import { Hash } from './hash.js';
import type { BlobEncoding, PutResult, Store } from './store.js';

/** `v1:blob:{hash}`: what is known of a blob that rows refer to, or did. */
export interface BlobRow {
  /** Bytes of the content. */
  size: number;
  encoding?: BlobEncoding | undefined;
  /** Index rows that refer to it. */
  refs: number;
  /** How many of these are pinned. */
  pinned: number;
  /** Epoch milliseconds at which `refs` changed last. */
  at: number;
}

/** What every index row holds, beside what its protocol adds. */
export interface IndexRow {
  /** Id of the blob's hash. */
  blob: string;
  /** Bytes of the content. */
  size: number;
  /** Epoch milliseconds at which it was linked. */
  at: number;
  /** Asked for by name (a bootstrap, a lockfile), not pulled through: never evicted. */
  pinned?: boolean;
  /** What eviction keeps here; see `ExpiryManager`. */
  accessedAt?: number | undefined;
  hits?: number | undefined;
  mainAt?: number | undefined;
}

/** What may be linked: a blob that was put. */
export type Linkable = Pick<PutResult, 'hash' | 'size'> & { encoding?: BlobEncoding };

/** Time, and a way to let others have their turn in long work: `sleep(0)`. */
export interface IndexClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

export interface SweepOptions {
  /** How long a blob without references stays, so that who is about to read or link it still can. */
  graceMs: number;
  /** Looks for blobs without any row, too, which a crash between put and link leaves. Lists the whole store. */
  orphans?: boolean;
}

/** What the keys of blobs' rows begin with. */
export const BLOB_PREFIX = 'v1:blob:';
/** What the keys of the rows of packages' tarballs begin with. */
export const VERSION_PREFIX = 'v1:version:';
/** What the keys of index rows begin with, those that refer to blobs. */
export const INDEX_PREFIXES: readonly string[] = [VERSION_PREFIX, 'v1:module:'];
/** Rows looked at in one go: others get their turn then. */
const BATCH = 500;

/**
 * Who refers to which blob. Index rows (`v1:version:…`, `v1:module:…`) and the count in the blob's row change in one
 * transaction; a blob that nobody refers to is deleted by {@link sweep}, after a grace period.
 */
export class BlobIndex {
  readonly ordered: OrderedStore;
  readonly #store: Pick<Store, 'stat' | 'delete' | 'list'>;
  readonly #clock: IndexClock;

  constructor(options: {
    ordered: OrderedStore;
    store: Pick<Store, 'stat' | 'delete' | 'list'>;
    clock: IndexClock;
  }) {
    this.ordered = options.ordered;
    this.#store = options.store;
    this.#clock = options.clock;
  }

  /** An index row; `undefined` on a miss. */
  async get<Row extends object = object>(indexKey: string): Promise<(Row & IndexRow) | undefined> {
    const text = await this.ordered.get(indexKey);
    return text === undefined ? undefined : (JSON.parse(text) as Row & IndexRow);
  }

  /** The row of a blob; `undefined` on a miss. */
  async blob(hash: Hash): Promise<BlobRow | undefined> {
    const text = await this.ordered.get(BLOB_PREFIX + hash.id);
    return text === undefined ? undefined : (JSON.parse(text) as BlobRow);
  }

  /**
   * Makes the index row refer to a blob that was put, in place of whatever it referred to. `pinned` stays as it was
   * unless told.
   */
  async link(indexKey: string, row: object, blob: Linkable, { pinned }: { pinned?: boolean } = {}): Promise<void> {
    for (;;) {
      const change = new Change(this.ordered, this.#clock.now());
      const old = await change.row(indexKey);
      const isPinned = pinned ?? old?.pinned ?? false;
      if (old) await change.count(Hash.parse(old.blob), { refs: -1, pinned: old.pinned ? -1 : 0 });
      await change.count(blob.hash, { refs: 1, pinned: isPinned ? 1 : 0 }, blob);
      const value = {
        ...row,
        blob: blob.hash.id,
        size: blob.size,
        at: this.#clock.now(),
        ...(isPinned ? { pinned: true } : {}),
      };
      change.set(indexKey, JSON.stringify(value));
      if (await change.commit()) return;
    }
  }

  /**
   * Removes the index row; its blob has one reference less. Gives the bytes that nobody refers to any more; 0 for a row
   * that is not there, or was not linked at the moment given.
   */
  async unlink(indexKey: string, linked: { at?: number } = {}): Promise<number> {
    for (;;) {
      const change = new Change(this.ordered, this.#clock.now());
      const old = await change.row(indexKey);
      if (!old || (linked.at ?? old.at) !== old.at) return 0;
      const left = await change.count(Hash.parse(old.blob), { refs: -1, pinned: old.pinned ? -1 : 0 });
      change.set(indexKey, undefined);
      if (await change.commit()) return left.refs === 0 ? left.size : 0;
    }
  }

  /** Rows of all blobs. */
  async *blobs(): AsyncIterable<[Hash, BlobRow]> {
    for await (const [key, text] of this.ordered.list(prefixRange(BLOB_PREFIX))) {
      yield [Hash.parse(key.slice(BLOB_PREFIX.length)), JSON.parse(text) as BlobRow];
    }
  }

  /**
   * Deletes blobs that nobody has referred to for the grace period. A blob that was put again meanwhile stays, since its
   * file is young then. Should somebody link it at the very moment at which it is deleted, his row is a counted miss later.
   */
  async sweep({ graceMs, orphans = false }: SweepOptions): Promise<{ blobs: number; bytes: number }> {
    const swept = { blobs: 0, bytes: 0 };
    const before = this.#clock.now() - graceMs;
    let seen = 0;
    for await (const [key, text] of this.ordered.list(prefixRange(BLOB_PREFIX))) {
      if (++seen % BATCH === 0) await this.#clock.sleep(0);
      const row = JSON.parse(text) as BlobRow;
      if (row.refs > 0 || row.at > before) continue;
      const hash = Hash.parse(key.slice(BLOB_PREFIX.length));
      const stat = await this.#store.stat(hash);
      if (stat && stat.modifiedAt > before) continue;
      if (!(await this.ordered.commit([{ key, value: undefined }], [{ key, value: text }]))) continue;
      await this.#store.delete(hash);
      swept.blobs += 1;
      swept.bytes += stat?.size ?? 0;
    }
    if (orphans) await this.#sweepOrphans(before, swept);
    return swept;
  }

  async #sweepOrphans(before: number, swept: { blobs: number; bytes: number }): Promise<void> {
    let seen = 0;
    for await (const hash of this.#store.list()) {
      if (++seen % BATCH === 0) await this.#clock.sleep(0);
      if ((await this.ordered.get(BLOB_PREFIX + hash.id)) !== undefined) continue;
      const stat = await this.#store.stat(hash);
      if (!stat || stat.modifiedAt > before) continue;
      await this.#store.delete(hash);
      swept.blobs += 1;
      swept.bytes += stat.size;
    }
  }
}

/** Rows as they were read, and what they are to become: committed only if they are still so. */
class Change {
  readonly #ordered: OrderedStore;
  readonly #now: number;
  readonly #read = new Map<string, string | undefined>();
  readonly #changed = new Map<string, string | undefined>();

  constructor(ordered: OrderedStore, now: number) {
    this.#ordered = ordered;
    this.#now = now;
  }

  async row(indexKey: string): Promise<IndexRow | undefined> {
    const text = await this.#get(indexKey);
    return text === undefined ? undefined : (JSON.parse(text) as IndexRow);
  }

  set(key: string, value: string | undefined): void {
    this.#changed.set(key, value);
  }

  /** Adds to a blob's counts; what is new gets a row. */
  async count(hash: Hash, add: { refs: number; pinned: number }, blob?: Linkable): Promise<BlobRow> {
    const key = BLOB_PREFIX + hash.id;
    const text = await this.#get(key);
    const known: BlobRow = text === undefined ? { size: blob?.size ?? 0, refs: 0, pinned: 0, at: 0 } : JSON.parse(text);
    const row: BlobRow = {
      ...known,
      ...(blob ? { size: blob.size, encoding: blob.encoding } : {}),
      refs: Math.max(0, known.refs + add.refs),
      pinned: Math.max(0, known.pinned + add.pinned),
      at: this.#now,
    };
    this.set(key, JSON.stringify(row));
    return row;
  }

  commit(): Promise<boolean> {
    const changes: RowChange[] = Array.from(this.#changed, ([key, value]) => ({ key, value }));
    const expected: RowExpectation[] = Array.from(this.#read, ([key, value]) => ({ key, value }));
    return this.#ordered.commit(changes, expected);
  }

  async #get(key: string): Promise<string | undefined> {
    if (this.#changed.has(key)) return this.#changed.get(key);
    const text = await this.#ordered.get(key);
    if (!this.#read.has(key)) this.#read.set(key, text);
    return text;
  }
}
