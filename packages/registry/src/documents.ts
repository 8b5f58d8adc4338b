import {
  CacheError,
  createStorageDriver,
  type EntryMetadata,
  encodeOrigin,
  hex,
  type StorageDriver,
  type StoredEntry,
  unhex,
} from '@_all_docs/cache';
import { type FetchResult, PackumentClient } from '@_all_docs/packument';
import { Absences } from './absences.js';
import { ByteLru } from './byte-lru.js';
import { RegistryError } from './errors.js';
import { Ledger } from './ledger.js';
import { patiently } from './patience.js';
import type { Settings } from './settings.js';
import type { SingleFlight } from './single-flight.js';
import type { Counters } from './stats.js';
import type { RegistryEnv } from './types.js';

/** A document that is held, as its row in the index says. */
export interface Found {
  readonly name: string;
  readonly metadata: EntryMetadata;
  /** Digest of the stored bytes: another one means another document. */
  readonly digest: string;
  /** `stale` is older than it should be, and being renewed; `miss` had to be fetched. */
  readonly how: 'hit' | 'stale' | 'miss';
  /** Code of the error that the last try to renew it ended with. */
  readonly trouble: string | undefined;
  /** Epoch milliseconds at which the index was asked. */
  readonly checkedAt: number;
}

/** How long the origin is left alone about a document that it could not give. */
const QUIET_MS = 10_000;
const MOST_QUIET = 10_000;
/** Fetches at once: while the origin hangs, neither clients nor documents that grow old may pile up without end. */
const MOST_FETCHES = 2_000;

interface Quiet {
  until: number;
  /** Why; `undefined` after the origin's first word that the package is gone. */
  error: unknown;
}

/**
 * The documents of the replica, pulled through: what is held is there at once and renewed behind when it is old, what is
 * not is fetched, by one request for all who wait. The origin's trouble is thrown and never taken for absence.
 */
export class Documents {
  readonly client: PackumentClient;
  readonly #env: RegistryEnv;
  readonly #settings: Settings;
  readonly #counters: Counters;
  readonly #flight: SingleFlight;
  readonly #absences: Absences;
  /** What was pulled through and may go again. What a bootstrap brought is in no ledger, and stays. */
  readonly #pulled: Ledger;
  readonly #quiet = new ByteLru<Quiet>(MOST_QUIET);
  #fetching = 0;
  #storage: Promise<StorageDriver> | undefined;

  constructor(
    env: RegistryEnv,
    { settings, counters, flight }: { settings: Settings; counters: Counters; flight: SingleFlight },
  ) {
    this.#env = env;
    this.#settings = settings;
    this.#counters = counters;
    this.#flight = flight;
    this.client = new PackumentClient({ env, form: settings.form });
    this.#absences = new Absences(env, { ttlMs: settings.notFoundMs, onTrouble: counters.onCacheTrouble });
    this.#pulled = new Ledger({
      ordered: env.ordered,
      prefix: `v1:pulled:${encodeOrigin(env.registry)}:`,
      limit: settings.documentBytes,
      // A document of any size is stored by then; the others make room for it.
      largestPart: Number.POSITIVE_INFINITY,
      onEvict: (key, { mark }) => this.#evict(key, mark),
      onTrouble: counters.onCacheTrouble,
    });
  }

  /**
   * The document of a package, fetched if need be; `undefined` when the origin says that there is none. Rejects with
   * the trouble there was, `ERR_TIMEOUT` when patience ends, `ERR_OFFLINE` where nobody is asked.
   */
  async find(name: string): Promise<Found | undefined> {
    const held = await this.#held(name);
    if (held) return held;
    if (await this.#absences.recent(name)) return undefined;
    return this.renew(name);
  }

  /** The document if it is held, however old; nobody is asked for it. */
  async peek(name: string): Promise<Found | undefined> {
    const metadata = await this.client.heldMetadata(name);
    return metadata && this.#found(name, metadata, 'hit');
  }

  /** The document as the origin has it now, after waiting for it; `undefined` when it has none. Rejects as {@link find} does. */
  async renew(name: string): Promise<Found | undefined> {
    await this.#patiently(name, this.#fetch(name));
    const metadata = await this.client.heldMetadata(name);
    return metadata && this.#found(name, metadata, 'miss');
  }

  /**
   * The document again, as the origin has it now, where it was stale. An origin that is left alone about it is not asked:
   * its last trouble is thrown once more.
   */
  async refresh(found: Found): Promise<Found | undefined> {
    if (found.how !== 'stale') return found;
    const quiet = this.#quiet.get(found.name);
    if (!quiet || this.#env.clock.now() >= quiet.until) return this.renew(found.name);
    if (quiet.error !== undefined) throw quiet.error;
    return found;
  }

  /** The stored bytes; fetched again when they are damaged. `undefined` when the document is gone. */
  async read(name: string): Promise<StoredEntry | undefined> {
    const entry = await this.client.held(name);
    if (entry || !(await this.client.heldMetadata(name))) return entry;
    await this.#patiently(name, this.#fetch(name, 'again'));
    return this.client.held(name);
  }

  async #held(name: string): Promise<Found | undefined> {
    const metadata = await this.client.heldMetadata(name);
    if (!metadata) return undefined;
    if (this.#isFresh(metadata)) return this.#found(name, metadata, 'hit');
    this.#renewBehind(name);
    return this.#found(name, metadata, 'stale');
  }

  #found(name: string, metadata: EntryMetadata, how: Found['how']): Found {
    const { digest } = metadata;
    if (digest === undefined) throw new TypeError(`the storage driver gives no digest for ${name}`);
    const error = how === 'stale' ? this.#quiet.get(name)?.error : undefined;
    return { name, metadata, digest, how, trouble: codeOf(error), checkedAt: this.#env.clock.now() };
  }

  #isFresh({ storedAt }: EntryMetadata): boolean {
    return this.#env.clock.now() - storedAt <= this.#settings.maxAgeMs;
  }

  #renewBehind(name: string): void {
    if (this.#settings.offline || this.#env.clock.now() < (this.#quiet.get(name)?.until ?? 0)) return;
    const renewal = this.#fetch(name).catch((error: unknown) => {
      this.#env.logger?.warn?.(`${name} could not be renewed`, { error: String(error) });
    });
    this.#env.waitUntil?.(renewal);
  }

  /** One request for all, which goes on when they leave. `again` asks for the whole document, whatever is held. */
  #fetch(name: string, again?: 'again'): Promise<void> {
    if (this.#settings.offline) return Promise.reject(this.#offline(name));
    return this.#flight(`document:${again ?? ''}:${name}`, async () => {
      if (this.#fetching >= MOST_FETCHES) throw busy(name);
      this.#fetching += 1;
      try {
        await this.#ask(name, again);
      } catch (error) {
        // Trouble of our own store says nothing about the origin.
        if (!(error instanceof CacheError)) this.#counters.originErrors += 1;
        this.#keepQuiet(name, QUIET_MS, error);
        throw error;
      } finally {
        this.#fetching -= 1;
      }
    });
  }

  async #ask(name: string, again?: 'again'): Promise<void> {
    const known = await this.client.heldMetadata(name);
    // Somebody else was faster: another process, or a flight that landed between our look and this one.
    if (!again && known && this.#isFresh(known)) return;
    if (!known && (await this.#absences.recent(name))) return;
    await this.#settle(name, known, await this.client.fetch(name, { known: again ? undefined : known }));
  }

  async #settle(name: string, known: EntryMetadata | undefined, result: FetchResult): Promise<void> {
    if (result.outcome === 'absent') return this.#onAbsent(name, known, result.status);
    this.#quiet.delete(name);
    await this.#absences.clear(name);
    const metadata = await this.client.heldMetadata(name);
    if (!metadata) return;
    const entry = await this.#pulled.get(hex(name));
    if (known && !entry) return;
    // What somebody else wrote since we did was brought to stay.
    if (known && entry?.mark !== markOf(known)) return this.#pulled.drop(hex(name));
    await this.#pulled.put(hex(name), { size: metadata.size, at: metadata.storedAt, mark: markOf(metadata) });
  }

  /** A single 404 may be a slip of the origin or of a cache before it: what is held goes at the second, and at any stronger word. */
  async #onAbsent(name: string, known: EntryMetadata | undefined, status: number): Promise<void> {
    const { times } = await this.#absences.add(name, status);
    if (!known) return;
    if (status === 404 && times < 2) return this.#keepQuiet(name, this.#settings.notFoundMs);
    await (await this.#driver()).delete(this.client.keyOf(name));
    await this.#pulled.drop(hex(name));
    this.#counters.removed += 1;
    this.#env.logger?.info?.(`${name} was removed: the origin answered ${status}`);
  }

  #keepQuiet(name: string, ms: number, error?: unknown): void {
    const pause = error instanceof RegistryError && error.retryAfter !== undefined ? error.retryAfter * 1000 : ms;
    this.#quiet.set(name, { until: this.#env.clock.now() + pause, error }, 1);
  }

  #patiently<Result>(name: string, work: Promise<Result>): Promise<Result> {
    return patiently(this.#env, this.#settings.patienceMs, name, work);
  }

  #offline(name: string): RegistryError {
    if (this.#counters.addMissing(name)) this.#env.logger?.warn?.(`offline: ${name} is missing`);
    return new RegistryError('ERR_OFFLINE', `the replica is offline and does not hold ${name}`);
  }

  async #evict(hexName: string, mark: string): Promise<void> {
    const storage = await this.#driver();
    const key = this.client.keyOf(unhex(hexName) as string);
    const metadata = await storage.head(key);
    if (metadata && markOf(metadata) === mark) await storage.delete(key);
  }

  #driver(): Promise<StorageDriver> {
    this.#storage ??= createStorageDriver(this.#env);
    return this.#storage;
  }
}

/** Tells whether a document is still the one that was pulled through: whoever confirms or replaces it changes this. */
function markOf({ digest, storedAt }: EntryMetadata): string {
  return `${digest} ${storedAt}`;
}

function busy(name: string): RegistryError {
  return new RegistryError('ERR_BUSY', `too much is being fetched already to ask for ${name}; try again`, {
    retryAfter: 1,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}
