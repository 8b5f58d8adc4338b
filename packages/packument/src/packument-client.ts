import {
  CacheError,
  createStorageDriver,
  type EntryMetadata,
  hex,
  type StorageDriver,
  type StorageEnv,
  type StoredEntry,
} from '@_all_docs/cache';
import {
  BaseHTTPClient,
  type Clock,
  type Codec,
  type Encoding,
  HttpError,
  RegistryResponse,
  type Transport,
} from '@_all_docs/http';
import { ACCEPT, askPackument, isDamage } from './ask-packument.js';
import { type Check, type CheckedDocument, checkPackument } from './check.js';
import { PackumentError } from './errors.js';
import { documentPrefix, type PackumentForm } from './form.js';
import { parsePackageName } from './names.js';
import { isOlderRevision } from './revision.js';

/** The part of an environment that fetching documents needs. */
export interface PackumentEnv extends StorageEnv {
  /** The registry: documents are asked there. */
  registry: string;
  transport: Transport;
  clock: Pick<Clock, 'now'>;
  codec?: Codec | undefined;
  /** Does what `checkPackument` does with `parse`, somewhere else: on other threads, where the host has them. */
  check?: ((name: string, body: Uint8Array, encoding: Encoding) => Promise<CheckedDocument>) | undefined;
}

export interface PackumentRequestOptions {
  /** Ask the origin even when a young enough document is stored. */
  refresh?: boolean;
  /** How old a stored document may be, in milliseconds; five minutes unless told, as the registry's own caches have it. */
  maxAgeMs?: number;
  signal?: AbortSignal | undefined;
}

export interface FetchOptions {
  signal?: AbortSignal | undefined;
  /** What is stored already, for a conditional request. */
  known?: EntryMetadata | undefined;
}

/** Looks at a document that has come, as `checkPackument` does with `crc`; `undefined` where it does not tell. */
export type Look = (name: string, body: Uint8Array, encoding: Encoding) => Promise<CheckedDocument | undefined>;

export interface FetchChangedOptions extends FetchOptions {
  /** The revision that the feed announced; `undefined` where it named none. */
  announced: string | undefined;
  /** Goes past the caches between us and the registry, which hold documents and 404s for minutes. To be used sparingly. */
  fresh?: boolean | undefined;
  /** Asked first in place of the client's own check with `crc`. */
  look?: Look | undefined;
  /** Given a document that will be stored, with the digest that it will have there; waited for before it is. */
  onArrival?: ((entry: StoredEntry) => Promise<void>) | undefined;
}

/** The answer was a document from before the announced revision, and was not stored. */
export interface Lagging {
  outcome: 'lagging';
  rev: string | undefined;
}

/** How a fetch ended. `absent` is the origin's own word (404, 410, 451); everything that is no answer is thrown. */
export type FetchResult =
  | { outcome: 'stored'; bytes: number; metadata: EntryMetadata }
  | { outcome: 'unchanged'; bytes: 0; metadata: EntryMetadata }
  | { outcome: 'absent'; bytes: 0; status: number };

/** Fetches, checks and stores package documents, as received: compressed, with their validators. */
export class PackumentClient extends BaseHTTPClient {
  readonly form: PackumentForm;
  readonly #env: PackumentEnv;
  readonly #check: Check;
  /** What all keys begin with; made once, since it takes a URL apart. */
  readonly #prefix: string;
  #storage: Promise<StorageDriver> | undefined;

  constructor({ env, form = 'full', check = 'crc' }: { env: PackumentEnv; form?: PackumentForm; check?: Check }) {
    super({ origin: env.registry, transport: env.transport, codec: env.codec });
    this.#env = env;
    this.#check = check;
    this.form = form;
    this.#prefix = documentPrefix(form, env.registry);
  }

  /** The cache key of a package's document in this client's form. */
  keyOf(name: string): string {
    return this.#prefix + hex(name);
  }

  /**
   * The document of `/name`, `name` or `@scope/name`: from the store while it is young, else asked for, conditionally
   * where the store holds one. `json()` is the document; a 404 is the origin's. When no answer comes, what is stored is
   * returned and says that it is stale (`cache-status`, RFC 9211); with nothing stored the trouble is thrown.
   * The answer holds the document unpacked; `held` and `codec.decodeStream` give a large one in pieces.
   */
  override async request(path: string, options: PackumentRequestOptions = {}): Promise<RegistryResponse> {
    const name = parsePackageName(path);
    let held = await this.#usable(name);
    const age = held ? this.#env.clock.now() - held.metadata.storedAt : Number.POSITIVE_INFINITY;
    if (held && !options.refresh && age <= (options.maxAgeMs ?? 300_000)) return this.#respond(held, 'hit');
    let result: FetchResult;
    try {
      result = await this.fetch(name, { signal: options.signal, known: held?.metadata });
    } catch (error) {
      if (held && isNoAnswer(error)) return this.#respond(held, `hit; fwd=stale; detail=${(error as HttpError).code}`);
      throw error;
    }
    if (result.outcome === 'absent') return this.#absent(result.status);
    if (result.outcome === 'unchanged' && held)
      return this.#respond({ text: held.text, metadata: result.metadata }, 'hit; fwd=stale; fwd-status=304');
    // The old document makes room before the new one is unpacked: either may be large.
    held = undefined;
    const entry = await this.#usable(name);
    if (!entry) throw new PackumentError('ERR_BAD_PACKUMENT', `${name} was stored but cannot be read back`);
    return this.#respond(entry, 'fwd=miss; stored');
  }

  /** The stored document; `undefined` when there is none, or when it is damaged and must be fetched again. */
  async held(name: string): Promise<StoredEntry | undefined> {
    try {
      return await (await this.#driver()).read(this.keyOf(name));
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }

  /** Metadata of the stored document; `undefined` when there is none. */
  async heldMetadata(name: string): Promise<EntryMetadata | undefined> {
    return (await this.#driver()).head(this.keyOf(name));
  }

  /**
   * Asks the registry for one document and commits what it answers. A document that fails its check is asked for again;
   * what was stored before stays until a better one is whole. Rejects with the `HttpError` or `PackumentError` of the last try.
   */
  fetch(name: string, options: FetchOptions = {}): Promise<FetchResult> {
    // Nothing lags behind what nobody announced.
    return this.#fetch(name, options) as Promise<FetchResult>;
  }

  /**
   * {@link fetch} beside a feed: a document from before what it announced is not stored, nor one from before what
   * somebody else stored meanwhile.
   */
  fetchChanged(
    name: string,
    { announced, fresh, look, onArrival, ...options }: FetchChangedOptions,
  ): Promise<FetchResult | Lagging> {
    return this.#fetch(name, options, { announced, fresh, look, onArrival });
  }

  async #fetch(
    name: string,
    { signal, known }: FetchOptions,
    feed?: Pick<FetchChangedOptions, 'announced' | 'fresh' | 'look' | 'onArrival'>,
  ): Promise<FetchResult | Lagging> {
    const asked = await askPackument(name, {
      send: (path, options) => this.send(path, { ...options, signal }),
      form: this.form,
      look: (of, body, encoding) => this.#look(of, body, encoding, feed?.look),
      codec: this.codec,
      clock: this.#env.clock,
      known,
      fresh: feed?.fresh,
    });
    if (asked.outcome === 'absent') return { ...asked, bytes: 0 };
    const metadata = asked.outcome === 'unchanged' ? asked.metadata : asked.entry.metadata;
    if (feed && (await this.#isLate(name, metadata, known, feed.announced)))
      return { outcome: 'lagging', rev: metadata.rev };
    const storage = await this.#driver();
    if (asked.outcome === 'unchanged') {
      await storage.touch(this.keyOf(name), { storedAt: metadata.storedAt, etag: metadata.etag });
      return { outcome: 'unchanged', bytes: 0, metadata };
    }
    if (feed?.onArrival) {
      metadata.digest = await storage.digest(asked.entry.body);
      await feed.onArrival(asked.entry);
    }
    await storage.write(this.keyOf(name), asked.entry);
    return { outcome: 'stored', bytes: asked.bytes, metadata };
  }

  /**
   * Keeps a document as another replica holds it, byte for byte and with its metadata, among them when the registry
   * confirmed it. `false` for one from before the announced revision, or before what is held: then nothing is kept, as
   * {@link fetchChanged} has it. Its digest must have been verified: the other replica looked at these bytes when it fetched
   * them, so only with `parse` are they looked at again; `ERR_BAD_PACKUMENT`, `ERR_ENCODING` as {@link fetch} has them.
   */
  async adopt(
    name: string,
    { body, metadata }: StoredEntry,
    { announced }: Pick<FetchChangedOptions, 'announced'>,
  ): Promise<boolean> {
    if (this.#check === 'parse') await this.#look(name, body, metadata.encoding);
    if (await this.#isLate(name, metadata, undefined, announced)) return false;
    await (await this.#driver()).write(this.keyOf(name), { body, metadata });
    return true;
  }

  /** Whether a document is from before what was announced, or before what was stored since `known` was looked up. */
  async #isLate(
    name: string,
    { rev }: { rev?: string | undefined },
    known: EntryMetadata | undefined,
    announced: string | undefined,
  ): Promise<boolean> {
    if (isOlderRevision(rev, announced)) return true;
    const held = await this.heldMetadata(name);
    return held !== undefined && held.digest !== known?.digest && isOlderRevision(rev, held.rev);
  }

  async #look(name: string, body: Uint8Array, encoding: Encoding, look?: Look): Promise<CheckedDocument> {
    const seen = this.#check === 'crc' ? await look?.(name, body, encoding) : undefined;
    if (seen) return seen;
    const { check } = this.#env;
    if (check && this.#check === 'parse') return check(name, body, encoding);
    return checkPackument(name, body, encoding, this.#check, this.codec);
  }

  /** The stored document with its identity bytes; `undefined` when there is none that unpacks. */
  async #usable(name: string): Promise<Usable | undefined> {
    const held = await this.held(name);
    if (!held) return undefined;
    try {
      return { metadata: held.metadata, text: await this.codec.decode(held.body, held.metadata.encoding) };
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  #respond({ text, metadata }: Usable, status: string): RegistryResponse {
    const age = Math.max(0, Math.floor((this.#env.clock.now() - metadata.storedAt) / 1000));
    const headers: Record<string, string> = {
      'content-type': ACCEPT[this.form],
      age: String(age),
      'cache-status': `_all_docs; ${status}`,
    };
    if (metadata.etag) headers['etag'] = metadata.etag;
    if (metadata.lastModified) headers['last-modified'] = metadata.lastModified;
    return new RegistryResponse(200, headers, text);
  }

  #absent(status: number): RegistryResponse {
    const body = new TextEncoder().encode('{"error":"Not found"}');
    return new RegistryResponse(status, { 'content-type': 'application/json' }, body);
  }

  #driver(): Promise<StorageDriver> {
    this.#storage ??= createStorageDriver(this.#env);
    return this.#storage;
  }
}

interface Usable {
  metadata: EntryMetadata;
  text: Uint8Array;
}

const NO_ANSWER = new Set([
  'ERR_FETCH_FAILED',
  'ERR_TIMEOUT',
  'ERR_BLOCKED',
  'ERR_RATE_LIMITED',
  'ERR_ORIGIN_DOWN',
  'ERR_BUDGET_EXHAUSTED',
]);

function isNoAnswer(error: unknown): boolean {
  return isDamage(error) || (error instanceof HttpError && NO_ANSWER.has(error.code));
}
