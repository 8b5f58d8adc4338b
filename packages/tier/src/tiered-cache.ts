import {
  assertKey,
  digestOf,
  type EntryEncoding,
  type EntryMetadata,
  type ListOptions,
  type OrderedStore,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { absence, isAbsence } from './absence.js';
import { Circuit } from './circuit.js';
import type { TierClock } from './clock.js';
import type { ICacheSyncLogger } from './logger.js';
import { Marks, SKEW_MS } from './marks.js';
import { DEFAULT_SYNC_TABLES, type SyncTable, tableOf } from './tables.js';
import { Tier, type TierStats } from './tier.js';
import type { Tombstones } from './tombstones.js';

export interface TieredCacheOptions {
  /** From the top: `[L1, L2, …, primary]`. The last one is the source of truth, and the only one that can fail a call. */
  tiers: readonly StorageDriver[];
  clock: TierClock;
  /** What a write does to the tiers: `write-through` (unless told) writes them, `lazy` leaves them to the next read. */
  strategy?: 'write-through' | 'lazy' | undefined;
  /** When `write-through` fills the top tier: at the write (`eager`, unless told), or at the next read. */
  fill?: 'eager' | 'on-read' | undefined;
  /** For how long a tier's entry is served without asking the primary, in seconds; 300 unless told. */
  maxAge?: number | undefined;
  /** For how long past that it may still be served while it is renewed behind the answer, in seconds; 0 unless told. */
  staleWhileRevalidate?: number | undefined;
  /** For how long tiers remember that the primary has nothing, in seconds; 10 unless told, 0 for not at all. */
  negativeMaxAge?: number | undefined;
  /** What is kept in tiers; everything else goes to the primary. `packuments` and `partitions` unless told. */
  syncTables?: readonly SyncTable[] | undefined;
  /** The table that a key belongs to; by the `v1` scheme unless told. */
  tableOf?: ((key: string) => SyncTable | undefined) | undefined;
  /** Longest wait for a tier that is asked, in milliseconds; 250 unless told. */
  readDeadlineMs?: number | undefined;
  /** Longest wait for a tier that is written to, in milliseconds; 2,000 unless told. */
  writeDeadlineMs?: number | undefined;
  /** Removals that others made; without them a tier that lags may show what others removed for as long as `maxAge`. */
  tombstones?: Tombstones | undefined;
  /** Runs one work for all who ask at once. Nobody waits for anybody unless told, as Workers require. */
  flight?: (<T>(key: string, work: () => Promise<T>) => Promise<T>) | undefined;
  /** Keeps a host from ending before the work that no answer waits for. */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined;
  /** For `get` of codings that the platform cannot undo. */
  codec?: { decode(bytes: Uint8Array, encoding: EntryEncoding): Uint8Array | Promise<Uint8Array> } | undefined;
  logger?: ICacheSyncLogger | undefined;
}

export interface TieredCacheStats {
  tiers: TierStats[];
  /** Calls that the primary answered, and those that it failed. */
  primary: { reads: number; failures: number };
  /** Removals of others cannot be heard of: all reads go to the primary. */
  tombstones: 'open' | 'closed';
}

/** An answer of the primary, and a time at which it was true. */
interface Answer {
  entry: StoredEntry | undefined;
  asOf: number;
}
/** Changes of one key that are under way at once: their order at the primary is not known. */
interface Changing {
  under: number;
  crowded: boolean;
}

/** Fills under way at once; more are not begun: the entry will be asked for again. */
const FILLS_AT_ONCE = 64;
/** A step of time smaller than any clock's. */
const TICK_MS = 0.001;

/**
 * Tiers of caches in front of a primary store, itself a driver. Reads go down until somebody knows, and fill what lies
 * above. Trouble of a tier is never fatal and never silent: it is skipped, counted and logged.
 *
 * What a tier holds is noted with the time as of which the primary said so (`tier.asOf`), and is void once the key was
 * changed after that. So no race matters: whoever read an old value and fills it in late fills in something void. Own
 * changes are known at once, removals by others as the {@link Tombstones} say; any other change of others shows when
 * `maxAge` (with `staleWhileRevalidate`) is over, whatever a tier lags or lost.
 */
export class TieredCache extends StorageDriver {
  override readonly ordered: OrderedStore | undefined;
  override readonly maxKeyBytes: number;
  protected override readonly clock: TierClock;
  readonly #options: TieredCacheOptions;
  readonly #tiers: Tier[];
  readonly #primary: StorageDriver;
  readonly #tables: ReadonlySet<string>;
  readonly #marks: Marks;
  readonly #hearing: Circuit;
  readonly #changing = new Map<string, Changing>();
  readonly #renewing = new Set<string>();
  readonly #background = new Set<Promise<unknown>>();
  readonly #asked = { reads: 0, failures: 0 };
  #fills = 0;
  #last = 0;

  constructor(options: TieredCacheOptions) {
    super();
    const { tiers, clock, logger, readDeadlineMs = 250, writeDeadlineMs = 2_000 } = options;
    const primary = tiers.at(-1);
    if (!primary) throw new TypeError('a tiered cache needs at least the primary: tiers is empty');
    this.#options = options;
    const servedFor = this.#maxAge + this.#staleFor;
    if (options.tombstones && options.tombstones.keepFor < servedFor) {
      throw new TypeError(
        `tombstones are kept for ${options.tombstones.keepFor} s, but entries are served for ${servedFor} s; keep tombstones for longer`,
      );
    }
    this.#primary = primary;
    this.ordered = primary.ordered;
    this.maxKeyBytes = primary.maxKeyBytes;
    this.clock = clock;
    this.#tables = new Set(options.syncTables ?? DEFAULT_SYNC_TABLES);
    this.#marks = new Marks(servedFor * 1_000 + SKEW_MS);
    const background = (work: Promise<unknown>) => this.#behind(work);
    this.#tiers = tiers.slice(0, -1).map((driver, i) => {
      const name = `L${i + 1}`;
      return new Tier(driver, { name, clock, readDeadlineMs, writeDeadlineMs, background, logger });
    });
    this.#hearing = new Circuit({
      clock,
      deadlineMs: readDeadlineMs,
      background,
      changed: (state, cause) =>
        logger?.[state === 'open' ? 'error' : 'info']?.(
          state === 'open'
            ? 'removals by others cannot be heard of: everything is read from the primary'
            : 'removals by others are heard of again',
          state === 'open' ? { error: String(cause) } : {},
        ),
    });
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    assertKey(key, this.maxKeyBytes);
    if (!this.#keeps(key)) return (await this.#ask(key)).entry;
    let stale: { tier: Tier; entry: StoredEntry } | undefined;
    for (const [place, tier] of (await this.#trusted()).entries()) {
      const entry = await tier.read(key);
      if (!entry) continue;
      const age = this.#ageOf(key, entry);
      if (age <= this.#maxAge) {
        tier.hit();
        this.#raise(key, entry, place);
        return answerOf(entry);
      }
      tier.stats.misses += 1;
      if (age <= this.#maxAge + this.#staleFor) stale ??= { tier, entry };
    }
    if (!stale) return this.#load(key);
    stale.tier.stats.stale += 1;
    this.#renew(key);
    return answerOf(stale.entry);
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    if (this.#keeps(key)) {
      for (const tier of await this.#trusted()) {
        const metadata = await tier.head(key);
        // Without our note it may be anything, and the body that would tell is not here.
        if (!metadata?.tier || this.#ageOf(key, { metadata }) > this.#maxAge) continue;
        tier.hit();
        return metadata.tier.absent ? undefined : withoutNote(metadata);
      }
    }
    return this.#asking(() => this.#primary.head(key));
  }

  /** The primary first: when it fails, no tier is written, and what they hold of the key is void. */
  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    if (!this.#keeps(key)) return this.#primary.write(key, { body, metadata });
    // One digest for all, whatever kind each of them would have chosen.
    const own = { ...metadata, size: body.length, digest: metadata.digest ?? (await digestOf(body)) };
    const isAlone = await this.#change(key, own.digest, () => this.#primary.write(key, { body, metadata: own }));
    const { strategy, fill } = this.#options;
    if (!isAlone || strategy === 'lazy') return this.#drop(key, this.#tiers);
    const noted = note({ body, metadata: own }, this.#tick());
    const [top, ...below] = this.#tiers;
    const filled = fill === 'on-read' ? below : this.#tiers;
    await Promise.all(filled.map((tier) => tier.write(key, noted)));
    if (top && fill === 'on-read') await top.delete(key);
  }

  /**
   * From the primary, then from the tiers, the top one last: else it could be filled again from one below that still has
   * it. `ERR_STORAGE_WRITE` also when the tombstone cannot be written: then delete again.
   */
  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    if (!this.#keeps(key)) return this.#primary.delete(key);
    await this.#change(key, undefined, () => this.#primary.delete(key));
    await this.#options.tombstones?.record(key);
    await this.#drop(key, this.#tiers);
  }

  /** At the primary; the tiers take it over from there, behind the answer. */
  override async touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    if (!this.#keeps(key)) return this.#primary.touch(key, metadata);
    await this.#change(key, 'unknown', () => this.#primary.touch(key, metadata));
    if (this.#options.strategy !== 'lazy') this.#renew(key);
  }

  /** What the primary has. */
  list(prefix?: string, options?: ListOptions): AsyncIterable<string> {
    return this.#primary.list(prefix, options);
  }

  /** Waits for what is under way, then closes all drivers. */
  override async close(): Promise<void> {
    await this.settled();
    for (const tier of this.#tiers) await tier.close();
    await this.#primary.close();
  }

  /** Resolves when all fills and renewals are done that have begun behind answers. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.allSettled(this.#background);
  }

  stats(): TieredCacheStats {
    return {
      tiers: this.#tiers.map(({ stats }) => ({ ...stats })),
      primary: { ...this.#asked },
      tombstones: this.#hearing.isOpen ? 'open' : 'closed',
    };
  }

  protected override async decode(body: Uint8Array, encoding: EntryEncoding): Promise<Uint8Array> {
    return this.#options.codec?.decode(body, encoding) ?? super.decode(body, encoding);
  }

  get #maxAge(): number {
    return this.#options.maxAge ?? 300;
  }

  get #staleFor(): number {
    return this.#options.staleWhileRevalidate ?? 0;
  }

  get #negativeMaxAge(): number {
    return this.#options.negativeMaxAge ?? 10;
  }

  #keeps(key: string): boolean {
    const table = (this.#options.tableOf ?? tableOf)(key);
    return table !== undefined && this.#tables.has(table);
  }

  /** The tiers, once the removals by others are known; none as long as they cannot be. */
  async #trusted(): Promise<readonly Tier[]> {
    const { tombstones } = this.#options;
    if (!tombstones || this.#tiers.length === 0) return this.#tiers;
    const hear = () => tombstones.hear((key, at) => this.#marks.note(key, at, this.clock.now()));
    if (!this.#hearing.admits()) return [];
    try {
      await this.#hearing.run(hear);
      return this.#tiers;
    } catch (error) {
      this.#hearing.trip(error, hear);
      return [];
    }
  }

  /** How old what a tier holds is, in seconds: infinitely, when it is void. An absence ages as much faster as it may be held for a shorter time. */
  #ageOf(key: string, { metadata, body }: { metadata: EntryMetadata; body?: Uint8Array }): number {
    const { asOf, absent = false } = metadata.tier ?? { asOf: metadata.storedAt };
    const now = this.clock.now();
    if (body && isAbsence(body) !== absent) return Number.POSITIVE_INFINITY;
    if (asOf > now + SKEW_MS || this.#marks.isVoid(key, asOf, absent ? undefined : metadata.digest)) {
      return Number.POSITIVE_INFINITY;
    }
    const age = Math.max(0, now - asOf) / 1_000;
    if (!absent) return age;
    return age < this.#negativeMaxAge ? age : Number.POSITIVE_INFINITY;
  }

  async #load(key: string): Promise<StoredEntry | undefined> {
    const { flight } = this.#options;
    if (!flight) return (await this.#fetch(key)).entry;
    const since = this.#marks.after(key);
    const { entry, asOf } = await flight(key, () => this.#fetch(key));
    // A flight that took off before a change that was acknowledged since may carry what was there before.
    if (!(asOf > since)) return (await this.#fetch(key)).entry;
    return entry && { body: entry.body, metadata: { ...entry.metadata } };
  }

  /** Asks the primary and fills the tiers behind the answer. */
  async #fetch(key: string): Promise<Answer> {
    const answer = await this.#ask(key);
    this.#marks.learn(key, answer.asOf, answer.entry?.metadata.digest);
    this.#raise(key, answer.entry ? note(answer.entry, answer.asOf) : absence(answer.asOf), this.#tiers.length);
    return answer;
  }

  async #ask(key: string): Promise<Answer> {
    const asOf = this.#tick();
    return { entry: await this.#asking(() => this.#primary.read(key)), asOf };
  }

  async #asking<T>(call: () => Promise<T>): Promise<T> {
    this.#asked.reads += 1;
    try {
      return await call();
    } catch (error) {
      this.#asked.failures += 1;
      throw error;
    }
  }

  /** Fills the tiers above a place with what was found there, unless it is void by now. */
  #raise(key: string, entry: StoredEntry, place: number): void {
    if (this.#ageOf(key, entry) > this.#maxAge) {
      if (entry.metadata.tier?.absent && this.#staleFor > 0) this.#behind(this.#drop(key, this.#tiers.slice(0, place)));
      return;
    }
    for (const tier of this.#tiers.slice(0, place)) {
      if (this.#fills >= FILLS_AT_ONCE) tier.stats.skipped += 1;
      else {
        this.#fills += 1;
        const over = () => {
          this.#fills -= 1;
        };
        this.#behind(tier.fill(key, entry).finally(over));
      }
    }
  }

  /** Reads a key from the primary again, behind the answer; once at a time. */
  #renew(key: string): void {
    if (this.#renewing.has(key)) return;
    this.#renewing.add(key);
    const renewal = this.#fetch(key)
      .catch((error) => this.#options.logger?.warn?.('an entry could not be renewed', { key, error: String(error) }))
      .finally(() => this.#renewing.delete(key));
    this.#behind(renewal);
  }

  /** Lower tiers first, the top one last. */
  async #drop(key: string, tiers: readonly Tier[]): Promise<void> {
    for (const tier of tiers.toReversed()) await tier.delete(key);
  }

  /**
   * Changes a key at the primary; whether it went well or not, all that was known of the key is void then: a call that
   * fails may have been done. Gives whether no other change of the key was under way meanwhile: only then is what the
   * primary holds what it was given.
   */
  async #change(key: string, digest: string | undefined, change: () => Promise<void>): Promise<boolean> {
    const changing = this.#changing.get(key) ?? { under: 0, crowded: false };
    this.#changing.set(key, changing);
    changing.under += 1;
    if (changing.under > 1) changing.crowded = true;
    let known: string | undefined = 'unknown';
    try {
      await change();
      if (!changing.crowded) known = digest;
      return !changing.crowded;
    } finally {
      this.#marks.noteOwn(key, this.#tick(), this.clock.now(), known);
      changing.under -= 1;
      if (changing.under === 0) this.#changing.delete(key);
    }
  }

  /** Work that no answer waits for. */
  #behind(work: Promise<unknown>): void {
    this.#background.add(work);
    const over = () => this.#background.delete(work);
    work.then(over, over);
    this.#options.waitUntil?.(work);
  }

  /** Now, and after every moment that was given before. */
  #tick(): number {
    this.#last = Math.max(this.clock.now(), this.#last + TICK_MS);
    return this.#last;
  }
}

function note(entry: StoredEntry, asOf: number): StoredEntry {
  return { body: entry.body, metadata: { ...entry.metadata, tier: { asOf } } };
}

function answerOf({ body, metadata }: StoredEntry): StoredEntry | undefined {
  return metadata.tier?.absent ? undefined : { body, metadata: withoutNote(metadata) };
}

function withoutNote({ tier: _, ...metadata }: EntryMetadata): EntryMetadata {
  return metadata;
}
