import type { CacheError } from '@_all_docs/cache';
import type { RegistryLogger } from './types.js';

/** What the registry did since it was made. */
export interface RegistryStats {
  /** Answers to requests for documents out of what is held, fresh or not; those of `hot` are among them. */
  hits: number;
  /** Those of them that were given from memory at once. */
  hot: number;
  /** Those of the hits that were older than they should be. */
  stale: number;
  /** Answers that had to wait for the origin. */
  misses: number;
  /** Answers without a body, because the client holds it. */
  notModified: number;
  /** Documents made out of others. */
  derived: number;
  /** Requests to the origin, tarballs not among them. */
  originRequests: number;
  /** Fetches that got no answer of the origin. */
  originErrors: number;
  /** Failed writes, and failed reads of what can be made again: they make answers slower, not wrong. */
  cacheErrors: number;
  /** Answers with a status of 500 and more. */
  failures: number;
  /** Documents removed because the origin no longer has them. */
  removed: number;
  /** What was asked for, is not held, and could not be fetched since the registry is offline: each once, the first of them. */
  missing: readonly string[];
}

const MOST_MISSING = 10_000;

/** The counters behind {@link RegistryStats}. */
export class Counters {
  readonly #logger: RegistryLogger | undefined;
  hits = 0;
  hot = 0;
  stale = 0;
  misses = 0;
  notModified = 0;
  derived = 0;
  originRequests = 0;
  originErrors = 0;
  cacheErrors = 0;
  failures = 0;
  removed = 0;
  readonly #missing = new Set<string>();

  constructor(logger: RegistryLogger | undefined) {
    this.#logger = logger;
  }

  /** Trouble with something that can do without: it is counted and logged, and nobody fails for it. */
  onCacheTrouble = (error: CacheError): void => {
    this.cacheErrors += 1;
    this.#logger?.warn?.('the cache is in trouble', { code: error.code, error: error.message });
  };

  /** Whether this is news. */
  addMissing(what: string): boolean {
    if (this.#missing.has(what) || this.#missing.size >= MOST_MISSING) return false;
    this.#missing.add(what);
    return true;
  }

  read(): RegistryStats {
    const { hits, hot, stale, misses, notModified, derived, originRequests, originErrors } = this;
    const { cacheErrors, failures, removed } = this;
    return {
      hits,
      hot,
      stale,
      misses,
      notModified,
      derived,
      originRequests,
      originErrors,
      cacheErrors,
      failures,
      removed,
      missing: [...this.#missing],
    };
  }
}
