import { fingerprint, prefixRange } from '@_all_docs/cache';
import { type BlobIndex, INDEX_PREFIXES, type IndexClock, type IndexRow } from './blob-index.js';
import { type Candidate, lru, s3Fifo, type Verdicts } from './s3-fifo.js';

export type Eviction = 's3fifo' | 'lru';

export interface ExpiryOptions {
  index: BlobIndex;
  clock: IndexClock;
  /** Bytes of blobs that may stay; what is pinned does not count. No limit unless told. */
  maxBytes?: number | undefined;
  /** How long a row stays that nobody asks for, in milliseconds; for ever unless told. */
  ttlMs?: number | undefined;
  /** Who goes first when there is too much; S3-FIFO unless told. */
  eviction?: Eviction | undefined;
  /** How long a blob stays that no row refers to any more; ten minutes unless told. */
  graceMs?: number | undefined;
  /** What the keys of the rows begin with that may be evicted. */
  prefixes?: readonly string[] | undefined;
}

/** What one run did. */
export interface ExpiryResult {
  /** Rows dropped because nobody had asked for them for too long. */
  expired: number;
  /** Rows dropped because there was too much. */
  evicted: number;
  /** Bytes of blobs that may be evicted and are left. */
  bytes: number;
  /** Blobs deleted from the store, of this run's rows or earlier ones. */
  swept: number;
}

const MOST_HITS = 3;
const MOST_TOUCHED = 20_000;
const MOST_GHOSTS = 20_000;
/** Rows looked at in one go: others get their turn then. */
const BATCH = 500;
/** Evicting a little more than needed keeps runs apart. */
const LOW_WATER = 0.95;

/**
 * Keeps a store of pulled-through blobs within its bounds: drops index rows that nobody asked for during the TTL, then,
 * past the size limit, those that S3-FIFO (or LRU) gives up first. Their blobs are deleted once no row refers to them.
 * Pinned rows stay. Uses are noted in memory and written at the next run, so an end without one forgets a few.
 */
export class ExpiryManager {
  readonly #index: BlobIndex;
  readonly #clock: IndexClock;
  readonly #maxBytes: number;
  readonly #ttlMs: number;
  readonly #eviction: Eviction;
  readonly #graceMs: number;
  readonly #prefixes: readonly string[];
  readonly #touched = new Map<string, { hits: number; at: number }>();
  /** Fingerprints of keys that were evicted lately: what comes back so soon was evicted too early. */
  readonly #ghosts = new Set<string>();

  constructor(options: ExpiryOptions) {
    this.#index = options.index;
    this.#clock = options.clock;
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#ttlMs = options.ttlMs ?? Number.POSITIVE_INFINITY;
    this.#eviction = options.eviction ?? 's3fifo';
    this.#graceMs = options.graceMs ?? 10 * 60_000;
    this.#prefixes = options.prefixes ?? INDEX_PREFIXES;
  }

  /** Notes that somebody asked for an index row. Costs no I/O. */
  touch(indexKey: string): void {
    const at = this.#clock.now();
    const known = this.#touched.get(indexKey);
    if (known) {
      known.hits = Math.min(MOST_HITS, known.hits + 1);
      known.at = at;
    } else if (this.#touched.size < MOST_TOUCHED) this.#touched.set(indexKey, { hits: 1, at });
  }

  /** One pass over all rows. May run beside everything else; a row that is linked anew meanwhile stays. */
  async run(): Promise<ExpiryResult> {
    await this.#writeTouched();
    const before = await this.#evictableBytes();
    const { candidates, expired } = await this.#look(before > this.#maxBytes);
    const young = before - (await this.#drop(expired));
    const { evicted, moved } = this.#choose(candidates, young);
    const bytes = young - (await this.#drop(evicted));
    for (const { key } of evicted) this.#remember(key);
    await inBatches(moved, ({ key, hits, mainAt }) => this.#note(key, { hits, mainAt }));
    const swept = await this.#index.sweep({ graceMs: this.#graceMs });
    return { expired: expired.length, evicted: evicted.length, bytes, swept: swept.blobs };
  }

  async #evictableBytes(): Promise<number> {
    let bytes = 0;
    let seen = 0;
    for await (const [, { size, refs, pinned }] of this.#index.blobs()) {
      if (refs > 0 && pinned === 0) bytes += size;
      if (++seen % BATCH === 0) await this.#clock.sleep(0);
    }
    return bytes;
  }

  /** Rows past their time; and, where something must go, all others that may. */
  async #look(gather: boolean): Promise<{ candidates: Candidate[]; expired: Candidate[] }> {
    const [candidates, expired]: [Candidate[], Candidate[]] = [[], []];
    let seen = 0;
    for (const prefix of this.#prefixes) {
      for await (const [key, text] of this.#index.ordered.list(prefixRange(prefix))) {
        if (++seen % BATCH === 0) await this.#clock.sleep(0);
        const row = JSON.parse(text) as IndexRow;
        if (row.pinned) continue;
        const { size, at, accessedAt = at, hits = 0, mainAt } = row;
        const candidate: Candidate = { key, size, at, accessedAt, hits, mainAt };
        if (this.#clock.now() - accessedAt > this.#ttlMs) expired.push(candidate);
        else if (gather) candidates.push(await this.#placed(candidate));
      }
    }
    return { candidates, expired };
  }

  /** What was evicted lately and is back goes to the main queue at once. */
  async #placed(candidate: Candidate): Promise<Candidate> {
    if (candidate.mainAt !== undefined || !this.#ghosts.delete(fingerprint(candidate.key))) return candidate;
    const mainAt = candidate.at;
    await this.#note(candidate.key, { mainAt });
    return { ...candidate, mainAt };
  }

  #choose(candidates: readonly Candidate[], bytes: number): Verdicts {
    if (bytes <= this.#maxBytes) return { evicted: [], moved: [] };
    const excess = bytes - this.#maxBytes * LOW_WATER;
    if (this.#eviction === 'lru') return lru(candidates, excess);
    return s3Fifo(candidates, excess, this.#maxBytes, this.#clock.now());
  }

  /** Gives the bytes that nobody refers to any more. */
  async #drop(candidates: readonly Candidate[]): Promise<number> {
    let bytes = 0;
    await inBatches(candidates, async ({ key, at }) => {
      const freed = await this.#index.unlink(key, { at });
      bytes += freed;
    });
    return bytes;
  }

  #remember(key: string): void {
    const [oldest] = this.#ghosts;
    if (this.#ghosts.size >= MOST_GHOSTS && oldest !== undefined) this.#ghosts.delete(oldest);
    this.#ghosts.add(fingerprint(key));
  }

  async #writeTouched(): Promise<void> {
    const touched = [...this.#touched];
    this.#touched.clear();
    await inBatches(touched, ([key, { hits, at }]) => this.#note(key, { accessedAt: at }, hits));
  }

  /** Writes into a row what eviction keeps there. A row that was changed at this very moment keeps what it has. */
  async #note(key: string, fields: Pick<IndexRow, 'accessedAt' | 'hits' | 'mainAt'>, hits = 0): Promise<void> {
    const { ordered } = this.#index;
    const text = await ordered.get(key);
    if (text === undefined) return;
    const row = JSON.parse(text) as IndexRow;
    if (row.pinned) return;
    const noted = { ...row, hits: Math.min(MOST_HITS, (row.hits ?? 0) + hits), ...fields };
    await ordered.commit([{ key, value: JSON.stringify(noted) }], [{ key, value: text }]);
  }
}

/** Many at once, so that their changes share transactions; not all, so that memory stays bounded. */
async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += BATCH) await Promise.all(items.slice(i, i + BATCH).map(work));
}
