import { createStorageDriver, encodeOrigin, hex, type StorageDriver, type StoredEntry } from '@_all_docs/cache';
import { type Codec, classify, HttpError, type TransportResponse, webCodec } from '@_all_docs/http';
import { packumentPath } from '@_all_docs/packument';
import { type Answer, jsonAnswer } from './answer.js';
import { ByteLru } from './byte-lru.js';
import { type HeaderLookup, isUnchanged } from './conditional.js';
import { RegistryError } from './errors.js';
import { Ledger } from './ledger.js';
import { acceptsGzip } from './negotiate.js';
import { patiently } from './patience.js';
import { RESOURCE_LEDGER_PREFIX, RESOURCE_PREFIX } from './prefixes.js';
import type { Settings } from './settings.js';
import type { SingleFlight } from './single-flight.js';
import type { Counters } from './stats.js';
import type { RegistryEnv } from './types.js';

/** Keys and attestations hardly ever change. */
const MAX_AGE_MS = 24 * 3_600_000;
const KEPT_BYTES = 256 * 1024 * 1024;
/** After a renewal that failed, the next one waits so long. */
const QUIET_MS = 10_000;
const MOST_REMEMBERED = 10_000;
const ABSENT = new Set([400, 404, 410, 451]);

/** What a registry has beside documents and tarballs: signing keys and attestations. Asked for once, and kept. */
export class Resources {
  readonly #env: RegistryEnv;
  readonly #settings: Settings;
  readonly #counters: Counters;
  readonly #flight: SingleFlight;
  readonly #codec: Codec;
  readonly #prefix: string;
  readonly #ledger: Ledger;
  readonly #absent = new ByteLru<{ status: number; at: number }>(MOST_REMEMBERED);
  /** When the last try to renew something failed. */
  readonly #failed = new ByteLru<number>(MOST_REMEMBERED);
  #storage: Promise<StorageDriver> | undefined;

  constructor(
    env: RegistryEnv,
    { settings, counters, flight }: { settings: Settings; counters: Counters; flight: SingleFlight },
  ) {
    this.#env = env;
    this.#settings = settings;
    this.#counters = counters;
    this.#flight = flight;
    this.#codec = env.codec ?? webCodec;
    this.#prefix = `${RESOURCE_PREFIX}${encodeOrigin(env.registry)}:`;
    this.#ledger = new Ledger({
      ordered: env.ordered,
      prefix: `${RESOURCE_LEDGER_PREFIX}${encodeOrigin(env.registry)}:`,
      limit: KEPT_BYTES,
      onEvict: async (key) => (await this.#driver()).delete(this.#prefix + key),
      onTrouble: counters.onCacheTrouble,
    });
  }

  /** The keys that the registry signs with. */
  keys(headers: HeaderLookup): Promise<Answer> {
    return this.#answer('/-/npm/v1/keys', headers);
  }

  /** What was attested of one version. */
  attestations({ name, version }: { name: string; version: string }, headers: HeaderLookup): Promise<Answer> {
    const what = `${packumentPath(name).slice(1)}@${encodeURIComponent(version)}`;
    return this.#answer(`/-/npm/v1/attestations/${what}`, headers);
  }

  /** From the store, where an old one is renewed behind; else from the origin. Its "there is none" is repeated as it was said. */
  async #answer(path: string, headers: HeaderLookup): Promise<Answer> {
    const kept = await this.#kept(path);
    if (kept) {
      if (this.#env.clock.now() - kept.metadata.storedAt > MAX_AGE_MS) this.#renewBehind(path);
      return this.#give(kept, headers);
    }
    const absent = this.#recentlyAbsent(path);
    if (absent !== undefined) return none(absent);
    const status = await patiently(this.#env, this.#settings.patienceMs, path, this.#fetch(path));
    const fetched = await this.#kept(path);
    return fetched ? this.#give(fetched, headers) : none(status);
  }

  #recentlyAbsent(path: string): number | undefined {
    const absent = this.#absent.get(path);
    return absent && this.#env.clock.now() - absent.at < this.#settings.notFoundMs ? absent.status : undefined;
  }

  async #give({ body, metadata }: StoredEntry, headers: HeaderLookup): Promise<Answer> {
    const gzip = acceptsGzip(headers('accept-encoding'));
    const etag = `"${fingerprintOf(metadata.digest)}${gzip ? 'z' : ''}"`;
    const common = ['etag', etag, 'cache-control', this.#settings.cacheControl, 'vary', 'Accept-Encoding'];
    if (isUnchanged(headers, etag, undefined)) return { status: 304, headers: common, body: undefined };
    const bytes = gzip ? body : await this.#codec.decode(body, metadata.encoding);
    const coding = gzip ? ['content-encoding', 'gzip'] : [];
    const said = ['content-type', 'application/json', 'content-length', String(bytes.length), ...coding, ...common];
    return { status: 200, headers: said, body: bytes };
  }

  #renewBehind(path: string): void {
    const { offline } = this.#settings;
    if (offline || this.#env.clock.now() - (this.#failed.get(path) ?? 0) < QUIET_MS) return;
    const renewal = this.#fetch(path).catch((error: unknown) => {
      this.#failed.set(path, this.#env.clock.now(), 1);
      this.#env.logger?.warn?.(`${path} could not be renewed`, { error: String(error) });
    });
    this.#env.waitUntil?.(renewal);
  }

  /** Asks the origin and keeps what it answers. Resolves with its status: 200, or one that says that there is none. */
  #fetch(path: string): Promise<number> {
    if (this.#settings.offline) return Promise.reject(this.#offline(path));
    return this.#flight(`resource:${path}`, async () => {
      try {
        const headers = { accept: 'application/json', 'accept-encoding': 'gzip' };
        return await this.#settle(path, await this.#env.transport({ url: urlOf(this.#env.registry, path), headers }));
      } catch (error) {
        this.#counters.originErrors += 1;
        throw error;
      }
    });
  }

  async #settle(path: string, response: TransportResponse): Promise<number> {
    const { status, encoding, body } = response;
    const isAnswer = classify(response) === 'ok';
    if (isAnswer && ABSENT.has(status)) {
      this.#absent.set(path, { status, at: this.#env.clock.now() }, 1);
      return status;
    }
    const text = isAnswer && status === 200 ? await this.#codec.decode(body, encoding) : undefined;
    if (!text || !isJson(text)) throw noAnswer(path, status);
    await this.#keep(path, encoding === 'gzip' ? body : await this.#codec.gzip(text));
    return status;
  }

  async #keep(path: string, body: Uint8Array): Promise<void> {
    const at = this.#env.clock.now();
    await this.#ledger.put(hex(path), { size: body.length, at, mark: '' });
    const metadata = { storedAt: at, encoding: 'gzip', size: body.length } as const;
    await (await this.#driver()).write(this.#prefix + hex(path), { body, metadata });
  }

  async #kept(path: string): Promise<StoredEntry | undefined> {
    return (await this.#driver()).read(this.#prefix + hex(path));
  }

  #offline(path: string): RegistryError {
    if (this.#counters.addMissing(path)) this.#env.logger?.warn?.(`offline: ${path} is missing`);
    return new RegistryError('ERR_OFFLINE', `the replica is offline and does not hold ${path}`);
  }

  #driver(): Promise<StorageDriver> {
    this.#storage ??= createStorageDriver(this.#env);
    return this.#storage;
  }
}

/** The registry's URL for a path of its API. */
export function urlOf(registry: string, path: string): string {
  return registry.replace(/\/$/, '') + path;
}

/** The error for an answer that is none. */
export function noAnswer(path: string, status: number): HttpError {
  return new HttpError('ERR_FETCH_FAILED', `${path}: the origin answered ${status}, which is no answer to this`, {
    status,
  });
}

function none(status: number): Answer {
  return jsonAnswer(status, { error: 'Not found' });
}

function isJson(text: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(text));
    return true;
  } catch {
    return false;
  }
}

function fingerprintOf(digest: string | undefined): string {
  return (digest ?? '')
    .replace(/^[^-]*-/, '')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 27);
}
