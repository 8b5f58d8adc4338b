import type { CacheErrorCode, EntryMetadata, StorageDriver, StoredEntry } from '@_all_docs/cache';
import { Circuit } from './circuit.js';
import type { TierClock } from './clock.js';
import type { ICacheSyncLogger } from './logger.js';

/** What happened at one tier, since the start. */
export interface TierStats {
  /** `L1`, `L2`, … from the top. */
  name: string;
  /** Fresh answers that came from here. */
  hits: number;
  /** Not there, too old, or void. */
  misses: number;
  /** Misses that were answered from here all the same, and renewed behind the answer. */
  stale: number;
  /** Damaged entries: misses that are overwritten. */
  corrupt: number;
  /** Entries written, by changes and from the tiers below. */
  fills: number;
  /** Calls that failed or took too long. */
  failures: number;
  /** Calls that were not made: the circuit was open, the key or value is more than this tier takes, or nothing comes of it. */
  skipped: number;
  /** Whether it is asked. */
  reads: 'open' | 'closed';
  /** Whether it is written to. */
  writes: 'open' | 'closed';
}

export interface TierOptions {
  name: string;
  clock: TierClock;
  readDeadlineMs: number;
  writeDeadlineMs: number;
  background: (work: Promise<unknown>) => void;
  logger: ICacheSyncLogger | undefined;
}

/** What says nothing about the tier's health: it will never take this key or value. */
const UNFIT = new Set<unknown>(['ERR_BAD_KEY', 'ERR_KEY_TOO_LONG', 'ERR_VALUE_TOO_LARGE'] satisfies CacheErrorCode[]);
const PROBE_KEY = 'v1:probe';
/** A read fills a key in once in so long: a tier that lags misses it for a while, and KV takes one write a second. */
const REFILL_MS = 1_000;
const FILLED_KEYS = 1_000;
/** A tier that had no answer for so many reads in a row is asked by every eighth one only, until it has one: it may be empty, full, or behind. */
const IDLE_READS = 64;
const ASKED_EVERY = 8;

/** A driver whose trouble harms nobody: no call here rejects, and none takes longer than its deadline. */
export class Tier {
  readonly stats: TierStats;
  readonly #driver: StorageDriver;
  readonly #options: TierOptions;
  readonly #reads: Circuit;
  readonly #writes: Circuit;
  /** When keys were filled in by reads. */
  readonly #filled = new Map<string, number>();
  #isFull = false;
  /** Reads since the last fresh answer. */
  #idle = 0;

  constructor(driver: StorageDriver, options: TierOptions) {
    this.#driver = driver;
    this.#options = options;
    const { name, readDeadlineMs, writeDeadlineMs } = options;
    const none = { hits: 0, misses: 0, stale: 0, corrupt: 0, fills: 0, failures: 0, skipped: 0 };
    this.stats = { name, ...none, reads: 'closed', writes: 'closed' };
    this.#reads = this.#circuit('reads', readDeadlineMs);
    this.#writes = this.#circuit('writes', writeDeadlineMs);
  }

  /** The entry; `undefined` on a miss and on any trouble. */
  async read(key: string): Promise<StoredEntry | undefined> {
    const entry = await this.#ask(key, () => this.#driver.read(key));
    if (entry === undefined || entry.body.length === entry.metadata.size) return entry;
    this.stats.corrupt += 1;
    return undefined;
  }

  /** What was read here was a fresh answer. */
  hit(): void {
    this.stats.hits += 1;
    this.#idle = 0;
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    return this.#ask(key, () => this.#driver.head(key));
  }

  /** Keeps the entry if it can. What cannot be kept is deleted, so that nobody finds an older one in its place. */
  async write(key: string, entry: StoredEntry): Promise<void> {
    if (this.#reads.isOpen || !this.#writes.admits()) {
      this.stats.skipped += 1;
      if (this.#isFull) await this.delete(key);
      return;
    }
    if (await this.#put(() => this.#driver.write(key, entry))) this.stats.fills += 1;
    else if (this.#isFull || !this.#writes.isOpen) await this.delete(key);
  }

  /** {@link write} for what a read found below: not again when that was done a moment ago. */
  async fill(key: string, entry: StoredEntry): Promise<void> {
    const now = this.#options.clock.now();
    const last = this.#filled.get(key);
    if (last !== undefined && now - last < REFILL_MS) return;
    this.#filled.delete(key);
    this.#filled.set(key, now);
    if (this.#filled.size > FILLED_KEYS) this.#filled.delete(this.#filled.keys().next().value as string);
    await this.write(key, entry);
  }

  /** Deletes the entry if it can: a full tier still deletes. */
  async delete(key: string): Promise<void> {
    if (this.#reads.isOpen || (!this.#writes.admits() && !this.#isFull)) this.stats.skipped += 1;
    else await this.#put(() => this.#driver.delete(key));
  }

  async close(): Promise<void> {
    await this.#driver.close();
  }

  async #ask<T>(key: string, call: () => Promise<T>): Promise<T | undefined> {
    const isAdmitted = this.#reads.admits();
    if (isAdmitted) this.#idle += 1;
    if (!isAdmitted || (this.#idle > IDLE_READS && this.#idle % ASKED_EVERY !== 0)) {
      this.stats.skipped += 1;
      return undefined;
    }
    try {
      const found = await this.#reads.run(call);
      if (found === undefined) this.stats.misses += 1;
      return found;
    } catch (error) {
      if (codeOf(error) === 'ERR_CORRUPT') {
        this.stats.corrupt += 1;
        this.#options.logger?.warn?.(`a damaged entry in ${this.stats.name} is read from below`, { key });
      } else if (UNFIT.has(codeOf(error))) this.stats.skipped += 1;
      else {
        this.stats.failures += 1;
        this.#reads.trip(error, () => this.#driver.read(key));
      }
      return undefined;
    }
  }

  async #put(call: () => Promise<void>): Promise<boolean> {
    try {
      await this.#writes.run(call);
      return true;
    } catch (error) {
      if (UNFIT.has(codeOf(error))) this.stats.skipped += 1;
      else {
        this.stats.failures += 1;
        this.#isFull = codeOf(error) === 'ERR_DISK_FULL';
        this.#writes.trip(error, () => this.#driver.write(PROBE_KEY, probe()));
      }
      return false;
    }
  }

  #circuit(side: 'reads' | 'writes', deadlineMs: number): Circuit {
    const { clock, background, logger } = this.#options;
    return new Circuit({
      clock,
      deadlineMs,
      background,
      changed: (state, cause) => {
        const { name } = this.stats;
        this.stats[side] = state;
        this.#idle = 0;
        if (state === 'closed') logger?.info?.(`${name} takes ${side} again`);
        else logger?.warn?.(`${name} is left alone for ${side}`, { error: String(cause), code: codeOf(cause) });
      },
    });
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

function probe(): StoredEntry {
  return { body: Uint8Array.of(0), metadata: { storedAt: 0, encoding: 'identity', size: 1 } };
}
