import { createStorageDriver, encodeOrigin, hex, type StorageDriver, type StoredEntry } from '@_all_docs/cache';
import { type Codec, webCodec } from '@_all_docs/http';
import type { Answer } from './answer.js';
import { ByteLru } from './byte-lru.js';
import type { HeaderLookup } from './conditional.js';
import { RegistryError } from './errors.js';
import { Ledger } from './ledger.js';
import { patiently } from './patience.js';
import { RESOURCE_LEDGER_PREFIX, RESOURCE_PREFIX } from './prefixes.js';
import { askResource, attestationsPath, giveResource, KEYS_PATH, noResource } from './resource.js';
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

/** What a registry has beside documents and tarballs: signing keys and attestations. Asked for once, and kept. */
export class Resources {
  readonly #env: RegistryEnv;
  readonly #settings: Settings;
  readonly #counters: Counters;
  readonly #flight: SingleFlight;
  readonly #codec: Codec;
  readonly #giving: { codec: Codec; cacheControl: string };
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
    this.#giving = { codec: this.#codec, cacheControl: settings.cacheControl };
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
    return this.#answer(KEYS_PATH, headers);
  }

  /** What was attested of one version. */
  attestations(of: { name: string; version: string }, headers: HeaderLookup): Promise<Answer> {
    return this.#answer(attestationsPath(of), headers);
  }

  /** From the store, where an old one is renewed behind; else from the origin. Its "there is none" is repeated as it was said. */
  async #answer(path: string, headers: HeaderLookup): Promise<Answer> {
    const kept = await this.#kept(path);
    if (kept) {
      if (this.#env.clock.now() - kept.metadata.storedAt > MAX_AGE_MS) this.#renewBehind(path);
      return giveResource(kept, headers, this.#giving);
    }
    const absent = this.#recentlyAbsent(path);
    if (absent !== undefined) return noResource(absent);
    const status = await patiently(this.#env, this.#settings.patienceMs, path, this.#fetch(path));
    const fetched = await this.#kept(path);
    return fetched ? giveResource(fetched, headers, this.#giving) : noResource(status);
  }

  #recentlyAbsent(path: string): number | undefined {
    const absent = this.#absent.get(path);
    return absent && this.#env.clock.now() - absent.at < this.#settings.notFoundMs ? absent.status : undefined;
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
        const asked = await askResource(this.#env, path, this.#codec);
        if (typeof asked !== 'number') await this.#keep(path, asked);
        else this.#absent.set(path, { status: asked, at: this.#env.clock.now() }, 1);
        return typeof asked === 'number' ? asked : 200;
      } catch (error) {
        this.#counters.originErrors += 1;
        throw error;
      }
    });
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
