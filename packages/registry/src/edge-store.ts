import {
  createStorageDriver,
  type EntryMetadata,
  type OpenedEntry,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import type { EdgeEnv } from './edge-env.js';
import type { EdgeKeys } from './edge-keys.js';

const KEEP_MS = 30 * 86_400_000;

/**
 * The store as the edge uses it: no trouble of it fails a request, since the origin can answer too. A read that fails is a
 * miss, a write that fails is one that was not made; both are logged.
 */
export class EdgeStore {
  readonly #env: EdgeEnv;
  readonly #keepMs: number;
  readonly #keys: EdgeKeys;
  #driver: StorageDriver | undefined;

  constructor(env: EdgeEnv, keys: EdgeKeys, keepMs = KEEP_MS) {
    this.#env = env;
    this.#keepMs = keepMs;
    // What is a driver already need not be waited for.
    if (env.storage instanceof StorageDriver) this.#driver = env.storage;
    this.#keys = keys;
  }

  /** The driver itself. `ERR_NO_STORAGE` where the host forgot it. */
  async driver(): Promise<StorageDriver> {
    this.#driver ??= await createStorageDriver(this.#env);
    return this.#driver;
  }

  open(key: string): Promise<OpenedEntry | undefined> {
    return this.#survived(key, (driver) => driver.open(key));
  }

  read(key: string): Promise<StoredEntry | undefined> {
    return this.#survived(key, (driver) => driver.read(key));
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    await this.#survived(key, (driver) => driver.write(key, entry));
  }

  async touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    await this.#survived(key, (driver) => driver.touch(key, metadata));
  }

  /** When what is stored now may go by itself. */
  expiry(): number {
    return this.#env.clock.now() + this.#keepMs;
  }

  /** Whether what was stored of a package at that time must not be shown: see `Removals`. */
  isRemoved(name: string, storedAt: number): boolean | Promise<boolean> {
    return this.#env.removals?.isRemoved(name, storedAt) ?? false;
  }

  /** The status with which the origin said, within so many milliseconds, that it has no such thing; `undefined` else. */
  async absence(what: string, withinMs: number): Promise<number | undefined> {
    const key = this.#keys.absence(what);
    const metadata = await this.#survived(key, (driver) => driver.head(key));
    return metadata && this.#env.clock.now() - metadata.storedAt < withinMs ? Number(metadata.etag) : undefined;
  }

  /** Takes down that the origin has no such thing. */
  async noteAbsence(what: string, status: number, keepMs: number): Promise<void> {
    const storedAt = this.#env.clock.now();
    const metadata = {
      storedAt,
      encoding: 'identity',
      size: 0,
      etag: String(status),
      expiresAt: storedAt + keepMs,
    } as const;
    await this.write(this.#keys.absence(what), { body: new Uint8Array(), metadata });
  }

  /** Lets something go on behind the answer. */
  behind(what: string, work: Promise<unknown>): void {
    const settled = work.catch((error: unknown) => {
      this.#env.logger?.warn?.(`${what} failed behind an answer`, { error: String(error) });
    });
    this.#env.waitUntil?.(settled);
  }

  async #survived<Value>(key: string, work: (driver: StorageDriver) => Promise<Value>): Promise<Value | undefined> {
    const driver = this.#driver ?? (await this.driver());
    try {
      return await work(driver);
    } catch (error) {
      this.#env.logger?.warn?.('the store is in trouble', { key, error: String(error) });
      return undefined;
    }
  }
}
