import { type EntryMetadata, type ListOptions, StorageDriver, type StoredEntry } from '@_all_docs/cache';

/** KV's in front of it: what no tier can hold is refused at once. */
const MAX_KEY_BYTES = 512;

/**
 * Entries in the PostgreSQL behind a Hyperdrive. A connection belongs to the request that opened it, so each call opens its
 * own: to Hyperdrive, which is next door and holds those to the database. The client is loaded at the first call.
 */
export class HyperdriveDriver extends StorageDriver {
  override readonly maxKeyBytes = MAX_KEY_BYTES;
  readonly #database: Pick<Hyperdrive, 'connectionString'>;
  readonly #waitUntil: (work: Promise<unknown>) => void;
  /** Whether the tables were there at an earlier call. */
  #isReady = false;

  constructor(database: Pick<Hyperdrive, 'connectionString'>, waitUntil: (work: Promise<unknown>) => void) {
    super();
    this.#database = database;
    this.#waitUntil = waitUntil;
  }

  read(key: string): Promise<StoredEntry | undefined> {
    return this.#call((driver) => driver.read(key));
  }

  head(key: string): Promise<EntryMetadata | undefined> {
    return this.#call((driver) => driver.head(key));
  }

  write(key: string, entry: StoredEntry): Promise<void> {
    return this.#call((driver) => driver.write(key, entry));
  }

  override touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    return this.#call((driver) => driver.touch(key, metadata));
  }

  delete(key: string): Promise<void> {
    return this.#call((driver) => driver.delete(key));
  }

  async *list(prefix?: string, options?: ListOptions): AsyncIterable<string> {
    const driver = await this.#open();
    try {
      yield* driver.list(prefix, options);
    } finally {
      this.#waitUntil(driver.close());
    }
  }

  async #call<T>(work: (driver: StorageDriver) => Promise<T>): Promise<T> {
    const driver = await this.#open();
    try {
      const result = await work(driver);
      this.#isReady = true;
      return result;
    } finally {
      this.#waitUntil(driver.close());
    }
  }

  async #open(): Promise<StorageDriver> {
    const { connectPostgres } = await import('./connect-postgres.js');
    return connectPostgres(this.#database.connectionString, this.#isReady);
  }
}
