import { CacheError, type EntryMetadata, type StoredEntry } from '@_all_docs/cache';
import { BlobIndex } from '@_all_docs/content';
import { type FetchChangedOptions, type FetchResult, type Look, PackumentClient } from '@_all_docs/packument';
import { Absences } from './absences.js';
import { ByteLru } from './byte-lru.js';
import { CACHED_MS, ChangedDocuments, isUpToDate, type Settlement } from './changed-documents.js';
import { type ChangedMark, newMark } from './changed-mark.js';
import type { DeriveOptions } from './derive.js';
import type { DerivedCache, Prepared } from './derived-cache.js';
import type { Shown } from './document-headers.js';
import { RegistryError } from './errors.js';
import { patiently } from './patience.js';
import { PulledDocuments } from './pulled-documents.js';
import type { Settings } from './settings.js';
import type { SingleFlight } from './single-flight.js';
import type { Counters } from './stats.js';
import type { Announced, RegistryEnv } from './types.js';

/** A document that is held, as its row in the index says. */
export interface Found extends Shown {
  readonly name: string;
  readonly metadata: EntryMetadata;
  /** Digest of the stored bytes: another one means another document. */
  readonly digest: string;
}

/** How long the origin is left alone about a document that it could not give. */
const QUIET_MS = 10_000;
const MOST_QUIET = 10_000;
/** Documents that were answered with and are being stored still; while there are more, the store is waited for. */
const MOST_BEHIND = 16;
/** How often clients make us ask for a document that changed and lags behind. */
const CHANGED_PAUSE_MS = 1_000;
/** Fetches at once: while the origin hangs, neither clients nor documents that grow old may pile up without end. */
const MOST_FETCHES = 2_000;

interface FetchHow {
  /** The whole document, whatever is held. */
  again?: boolean;
  /** What is to be made of it. */
  wanted?: DeriveOptions | undefined;
  /** Hears of a document that can be shown before it is stored. */
  onArrival?: (found: Found) => void;
}

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
  readonly #derived: DerivedCache;
  readonly #flight: SingleFlight;
  readonly #absences: Absences;
  readonly #changed: ChangedDocuments;
  readonly #quiet = new ByteLru<Quiet>(MOST_QUIET);
  /** What has come and is being stored. */
  readonly #arrived = new Map<string, StoredEntry>();
  #fetching = 0;

  constructor(
    env: RegistryEnv,
    parts: { settings: Settings; counters: Counters; flight: SingleFlight; derived: DerivedCache },
  ) {
    const { settings, counters } = parts;
    this.#env = env;
    this.#settings = settings;
    this.#counters = counters;
    this.#derived = parts.derived;
    this.#flight = parts.flight;
    this.client = new PackumentClient({ env, form: settings.form });
    this.#absences = new Absences(env, { ttlMs: settings.notFoundMs, onTrouble: counters.onCacheTrouble });
    const { client } = this;
    const { ordered, blobs: store, clock } = env;
    const onTrouble = counters.onCacheTrouble;
    const pulled = new PulledDocuments({ env, client, limit: settings.documentBytes, onTrouble });
    this.#changed = new ChangedDocuments({ env, client, pulled, tarballs: new BlobIndex({ ordered, store, clock }) });
  }

  /**
   * The document of a package, fetched if need be; `undefined` when the origin says that there is none. Rejects with
   * the trouble there was, `ERR_TIMEOUT` when patience ends, `ERR_OFFLINE` where nobody is asked. What is `wanted` of a
   * document that has to be fetched is made while it is checked.
   */
  async find(name: string, wanted?: DeriveOptions): Promise<Found | undefined> {
    const mark = await this.#changed.get(name);
    if (mark) return this.#findChanged(name, mark);
    const held = await this.#held(name);
    if (held) return held;
    if (await this.#absences.recent(name)) return undefined;
    return this.renew(name, wanted);
  }

  /** The document if it is held, however old; nobody is asked for it. */
  async peek(name: string): Promise<Found | undefined> {
    const metadata = await this.client.heldMetadata(name);
    return metadata && this.#found(name, metadata, 'hit');
  }

  /**
   * The document as the origin has it now, after waiting for it; `undefined` when it has none. Whoever asked first has it
   * as soon as it has come and was found to be right, and it is stored behind the answer. Rejects as {@link find} does.
   */
  async renew(name: string, wanted?: DeriveOptions): Promise<Found | undefined> {
    const arrival = Promise.withResolvers<Found>();
    const landing = this.#fetch(name, { wanted, onArrival: arrival.resolve });
    this.#env.waitUntil?.(landing);
    const arrived = await this.#patiently(name, Promise.race([arrival.promise, landing]));
    // It changed while it was on its way: what came may be from before that.
    const mark = await this.#changed.get(name);
    if (mark) return this.#findChanged(name, mark);
    if (arrived) return arrived;
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

  /** The stored bytes, or those that are being stored; fetched again when they are damaged. `undefined` when the document is gone. */
  async read(name: string): Promise<StoredEntry | undefined> {
    const arrived = this.#arrived.get(name);
    if (arrived) return arrived;
    const entry = await this.client.held(name);
    if (entry || !(await this.client.heldMetadata(name))) return entry;
    await this.#patiently(name, this.#fetch(name, { again: true }));
    return this.client.held(name);
  }

  /**
   * A document that the feed said has changed: what is held is not shown before the registry was asked, since a version of
   * it may have been removed. `ERR_CHANGED` while the registry still shows the one from before.
   */
  async #findChanged(name: string, mark: ChangedMark): Promise<Found | undefined> {
    const { clock } = this.#env;
    const isNews = clock.now() - mark.askedAt >= CHANGED_PAUSE_MS;
    // The registry said a moment ago that there is none, and is asked once more before all is given up.
    if (mark.absences > 0 && mark.askedAt > 0 && clock.now() < mark.dueAt) return undefined;
    if (!isNews) throw changed(name);
    const settlement = await this.#patiently(name, this.#settleChanged(name)).catch((cause) => {
      throw changed(name, cause);
    });
    if (settlement === 'absent' || settlement === 'gone') return undefined;
    if (settlement === 'lagging') throw changed(name);
    const metadata = await this.client.heldMetadata(name);
    return metadata && this.#found(name, metadata, 'miss');
  }

  #settleChanged(name: string): Promise<Settlement> {
    if (this.#settings.offline) return Promise.reject(this.#offline(name));
    return this.#flight(`document:changed:${name}`, () => this.#changed.settle(name));
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

  /** One request for all, which goes on when they leave. */
  #fetch(name: string, how: FetchHow = {}): Promise<void> {
    if (this.#settings.offline) return Promise.reject(this.#offline(name));
    return this.#flight(`document:${how.again ? 'again' : ''}:${name}`, async () => {
      if (this.#fetching >= MOST_FETCHES) throw busy(name);
      this.#fetching += 1;
      try {
        await this.#ask(name, how);
      } catch (error) {
        // Trouble of our own store says nothing about the origin.
        if (!(error instanceof CacheError)) this.#counters.originErrors += 1;
        // Nobody waits for it any more.
        if (this.#arrived.has(name))
          this.#env.logger?.warn?.(`${name} was answered with, and could not be kept`, { error: String(error) });
        this.#keepQuiet(name, QUIET_MS, error);
        throw error;
      } finally {
        this.#arrived.delete(name);
        this.#fetching -= 1;
      }
    });
  }

  async #ask(name: string, { again, wanted, onArrival }: FetchHow): Promise<void> {
    const known = await this.client.heldMetadata(name);
    // Somebody else was faster: another process, or a flight that landed between our look and this one.
    if (!again && known && this.#isFresh(known)) return;
    if (!known && (await this.#absences.recent(name))) return;
    const before = await this.#env.announced?.(name);
    let prepared: Prepared | undefined;
    const look: Look = async (_, body, encoding) => {
      prepared = wanted && (await this.#derived.prepare(body, encoding, wanted));
      return prepared?.checked;
    };
    const arrive = async (entry: StoredEntry) => {
      prepared?.offer(entry.metadata.digest as string);
      if (this.#arrived.size >= MOST_BEHIND || hasNews(before, await this.#env.announced?.(name))) return;
      this.#arrived.set(name, entry);
      onArrival?.(this.#found(name, entry.metadata, 'miss'));
      // The answer goes first.
      await this.#env.clock.sleep(0);
    };
    // What nobody waits for need not be told of.
    const ask = { known: again ? undefined : known, look, onArrival: onArrival && arrive };
    const result = await this.#asAnnounced(name, before, ask);
    await this.#settle(name, known, result);
    await this.#heedSince(name, before);
  }

  /**
   * What the feed or a new list of names said while the document was asked for: whoever applied it may not have seen what
   * was stored since.
   */
  async #heedSince(name: string, before: Announced | undefined): Promise<void> {
    const now = await this.#env.announced?.(name);
    if (!hasNews(before, now)) return;
    const change = now?.change;
    const held = await this.client.heldMetadata(name);
    if (!held || isUpToDate(held, change?.rev)) return;
    if (change?.deleted) {
      await this.#changed.remove(name, 'deleted');
      return;
    }
    const at = this.#env.clock.now();
    const { seq = -1, rev } = change ?? {};
    await this.#changed.mark([[name, newMark({ seq, rev, at })]]);
  }

  /** The document, not one from before what the feed said last: caches on the way may still hold that. */
  async #asAnnounced(
    name: string,
    said: Announced | undefined,
    ask: Pick<FetchChangedOptions, 'known' | 'look' | 'onArrival'>,
  ): Promise<FetchResult> {
    const announced = said?.change?.rev;
    const fresh = this.#mayBeCached(said);
    let result = await this.client.fetchChanged(name, { ...ask, announced, fresh });
    if (result.outcome === 'lagging' && !fresh)
      result = await this.client.fetchChanged(name, { ...ask, announced, fresh: true });
    if (result.outcome !== 'lagging') return result;
    if (said?.change?.deleted) return { outcome: 'absent', bytes: 0, status: 404 };
    throw changed(name);
  }

  /** Whether caches may hold a document from before a change of which no revision is known, to compare it with. */
  #mayBeCached({ change, clearedAt }: Partial<Announced> = {}): boolean {
    if (change) return change.rev === undefined;
    return clearedAt !== undefined && this.#env.clock.now() - clearedAt < CACHED_MS;
  }

  async #settle(name: string, known: EntryMetadata | undefined, result: FetchResult): Promise<void> {
    if (result.outcome === 'absent') return this.#onAbsent(name, known, result.status);
    this.#quiet.delete(name);
    await this.#absences.clear(name);
    const metadata = await this.client.heldMetadata(name);
    if (metadata) await this.#changed.confirmed(name, known, metadata);
  }

  /** A single 404 may be a slip of the origin or of a cache before it: what is held goes at the second, and at any stronger word. */
  async #onAbsent(name: string, known: EntryMetadata | undefined, status: number): Promise<void> {
    const { times } = await this.#absences.add(name, status);
    if (!known) return;
    if (status === 404 && times < 2) return this.#keepQuiet(name, this.#settings.notFoundMs);
    // What is marked is asked for by whoever settles that.
    if (!(await this.#changed.remove(name, 'absent', { changedFrom: 'none' }))) return;
    this.#counters.removed += 1;
    this.#env.logger?.info?.(`${name} was removed: the origin answered ${status}`);
  }

  #keepQuiet(name: string, ms: number, error?: unknown): void {
    const { retryAfter } = (error ?? {}) as { retryAfter?: number };
    const pause = retryAfter === undefined ? ms : retryAfter * 1000;
    this.#quiet.set(name, { until: this.#env.clock.now() + pause, error }, 1);
  }

  #patiently<Result>(name: string, work: Promise<Result>): Promise<Result> {
    return patiently(this.#env, this.#settings.patienceMs, name, work);
  }

  #offline(name: string): RegistryError {
    if (this.#counters.addMissing(name)) this.#env.logger?.warn?.(`offline: ${name} is missing`);
    return new RegistryError('ERR_OFFLINE', `the replica is offline and does not hold ${name}`);
  }
}

/** Whether the feed, or a list of names, has said something since. */
function hasNews(before: Announced | undefined, now: Announced | undefined): boolean {
  return now?.change?.seq !== before?.change?.seq || now?.clearedAt !== before?.clearedAt;
}

function changed(name: string, cause?: unknown): RegistryError {
  const why = cause instanceof Error ? `cannot be asked for: ${cause.message}` : 'still shows it as it was before';
  const { retryAfter = 1 } = (cause ?? {}) as { retryAfter?: number };
  const message = `${name} has changed, and the registry ${why}; try again`;
  return new RegistryError('ERR_CHANGED', message, { cause, retryAfter });
}

function busy(name: string): RegistryError {
  return new RegistryError('ERR_BUSY', `too much is being fetched already to ask for ${name}; try again`, {
    retryAfter: 1,
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}
