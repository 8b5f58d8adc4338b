import { CacheError, createStorageDriver, encodeOrigin, type StorageDriver, type StoredEntry } from '@_all_docs/cache';
import type { Encoding } from '@_all_docs/http';
import type { CheckedDocument } from '@_all_docs/packument';
import { ByteLru } from './byte-lru.js';
import { checkAndDerive, type DeriveOptions, deriveDocument } from './derive.js';
import { Ledger } from './ledger.js';
import { DERIVED_LEDGER_PREFIX, DERIVED_PREFIX } from './prefixes.js';
import { derivedKey, markOf } from './rendition.js';
import type { SingleFlight } from './single-flight.js';
import type { Counters } from './stats.js';
import type { RegistryEnv } from './types.js';

/** What was made, and of which document. */
export interface Derived {
  /** Gzip bytes. */
  body: Uint8Array;
  /** Digest of the document that it was made of. */
  digest: string;
}

/** A document that has come, with another form of it. */
export interface Prepared {
  checked: CheckedDocument;
  /** To be called with the digest under which the document was stored. */
  offer(digest: string): void;
}

/** Of what was made before anybody asked for it here. */
const OFFERED_BYTES = 8 * 1024 * 1024;
const MOST_KEPT_BEHIND = 16;

/**
 * Documents made out of stored ones, kept until the document changes or room is needed: the oldest go first. Each is
 * made once, whoever asks meanwhile. Nothing is lost when it fails: then documents are made again.
 */
export class DerivedCache {
  readonly #env: RegistryEnv;
  readonly #counters: Counters;
  readonly #flight: SingleFlight;
  readonly #prefix: string;
  readonly #ledger: Ledger;
  #keeping = 0;
  /** Made while the document was checked, for the one for whom it was fetched. */
  readonly #offered = new ByteLru<Derived>(OFFERED_BYTES);
  #storage: Promise<StorageDriver> | undefined;

  constructor(
    env: RegistryEnv,
    { counters, flight, limit }: { counters: Counters; flight: SingleFlight; limit: number },
  ) {
    this.#env = env;
    this.#counters = counters;
    this.#flight = flight;
    this.#prefix = `${DERIVED_PREFIX}${encodeOrigin(env.registry)}:`;
    this.#ledger = new Ledger({
      ordered: env.ordered,
      prefix: `${DERIVED_LEDGER_PREFIX}${encodeOrigin(env.registry)}:`,
      limit,
      onEvict: async (key) => (await this.#driver()).delete(this.#prefix + key),
      onTrouble: counters.onCacheTrouble,
    });
  }

  /**
   * The document of this digest in another form. `read` gives the stored document; when that is another one by now, so
   * is the answer's digest. `undefined` when `read` gives nothing.
   */
  get(
    digest: string,
    options: DeriveOptions,
    read: () => Promise<StoredEntry | undefined>,
  ): Promise<Derived | undefined> {
    const key = derivedKey(options);
    return this.#flight(
      `derived:${key}`,
      async () => (await this.#taken(key, digest)) ?? (await this.#kept(key, digest)) ?? this.#make(key, options, read),
    );
  }

  /** Checks a document that has come and makes the other form of it at once; `undefined` where this has to be done one by one. */
  async prepare(body: Uint8Array, encoding: Encoding, options: DeriveOptions): Promise<Prepared | undefined> {
    const { derive, checkAndDerive: elsewhere, codec } = this.#env;
    // A host that derives elsewhere only does so with good reason.
    if (derive && !elsewhere) return undefined;
    const done = await (elsewhere?.(body, encoding, options) ?? checkAndDerive(body, encoding, options, codec));
    if (!done) return undefined;
    this.#counters.derived += 1;
    const { checked, made } = done;
    return {
      checked,
      offer: (digest) => this.#offered.set(derivedKey(options), { body: made, digest }, made.length),
    };
  }

  async #taken(key: string, digest: string): Promise<Derived | undefined> {
    const offered = this.#offered.get(key);
    if (offered?.digest !== digest) return undefined;
    this.#offered.delete(key);
    await this.#keepBehind(key, offered);
    return offered;
  }

  /** What cannot be read is made again. */
  async #kept(key: string, digest: string): Promise<Derived | undefined> {
    try {
      const entry = await (await this.#driver()).read(this.#prefix + key);
      return entry?.metadata.etag === markOf(digest) ? { body: entry.body, digest } : undefined;
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.#counters.onCacheTrouble(error);
      return undefined;
    }
  }

  async #make(
    key: string,
    options: DeriveOptions,
    read: () => Promise<StoredEntry | undefined>,
  ): Promise<Derived | undefined> {
    const source = await read();
    if (!source) return undefined;
    const digest = source.metadata.digest as string;
    const derived = { body: await this.derive(source, options), digest };
    await this.#keepBehind(key, derived);
    return derived;
  }

  /** Whoever asked need not wait for it, unless the store is slower than those who ask. */
  async #keepBehind(key: string, { digest, body }: Derived): Promise<void> {
    this.#keeping += 1;
    const kept = this.#keep(key, digest, body).finally(() => {
      this.#keeping -= 1;
    });
    const { waitUntil } = this.#env;
    if (waitUntil && this.#keeping <= MOST_KEPT_BEHIND) waitUntil(kept);
    else await kept;
  }

  /** What `deriveDocument` makes of a stored document, wherever the host has it done. */
  derive({ body, metadata }: StoredEntry, options: DeriveOptions): Promise<Uint8Array> {
    this.#counters.derived += 1;
    const { derive, codec } = this.#env;
    if (derive) return derive(body, metadata.encoding, options);
    return deriveDocument(body, metadata.encoding, options, codec);
  }

  async #keep(key: string, digest: string, body: Uint8Array): Promise<void> {
    const at = this.#env.clock.now();
    if (!(await this.#ledger.put(key, { size: body.length, at, mark: '' }))) return;
    const metadata = { storedAt: at, encoding: 'gzip', size: body.length, etag: markOf(digest) } as const;
    await (await this.#driver()).write(this.#prefix + key, { body, metadata });
  }

  #driver(): Promise<StorageDriver> {
    this.#storage ??= createStorageDriver(this.#env);
    return this.#storage;
  }
}
