import {
  CacheError,
  type EntryMetadata,
  type ListOptions,
  type OrderedStore,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { ByteLru } from './byte-lru.js';

const SPARE_BYTES = 32 * 1024 * 1024;

/**
 * A storage driver whose trouble with writing (a full disk, or one that may only be read) costs keeping, not answering:
 * what could not be stored lies in memory for a while, and is found there. Trouble with reading stays trouble.
 */
export class SpareStorage extends StorageDriver {
  override readonly ordered: OrderedStore | undefined;
  override readonly maxKeyBytes: number;
  readonly #driver: StorageDriver;
  readonly #onTrouble: (error: CacheError) => void;
  readonly #spare = new ByteLru<StoredEntry>(SPARE_BYTES);

  constructor(driver: StorageDriver, onTrouble: (error: CacheError) => void) {
    super();
    this.ordered = driver.ordered;
    this.maxKeyBytes = driver.maxKeyBytes;
    this.#driver = driver;
    this.#onTrouble = onTrouble;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    return (await this.#spareOf(key)) ?? this.#driver.read(key);
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    return (await this.#spareOf(key))?.metadata ?? this.#driver.head(key);
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    await this.#orSpare(
      key,
      () => this.#driver.write(key, entry),
      async () => entry,
    );
  }

  override async touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    const spare = await this.#spareOf(key);
    const touched = async () => {
      const held = spare ?? (await this.#driver.read(key));
      return held && { body: held.body, metadata: { ...held.metadata, ...metadata } };
    };
    const touch = async () => {
      if (!spare) return this.#driver.touch(key, metadata);
      // Whatever kept it from being stored may be over.
      const entry = await touched();
      if (entry) await this.#driver.write(key, entry);
    };
    await this.#orSpare(key, touch, touched);
  }

  async delete(key: string): Promise<void> {
    this.#spare.delete(key);
    await this.#driver.delete(key);
  }

  override digest(body: Uint8Array): Promise<string> {
    return this.#driver.digest(body);
  }

  list(prefix?: string, options?: ListOptions): AsyncIterable<string> {
    return this.#driver.list(prefix, options);
  }

  override close(): Promise<void> {
    return this.#driver.close();
  }

  /** What lies in memory, unless somebody else has stored something newer since. */
  async #spareOf(key: string): Promise<StoredEntry | undefined> {
    const spare = this.#spare.get(key);
    if (!spare) return undefined;
    const stored = await this.#driver.head(key);
    if (!stored || stored.storedAt <= spare.metadata.storedAt) return spare;
    this.#spare.delete(key);
    return undefined;
  }

  async #orSpare(
    key: string,
    write: () => Promise<void>,
    entryOf: () => Promise<StoredEntry | undefined>,
  ): Promise<void> {
    try {
      await write();
      this.#spare.delete(key);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.#onTrouble(error);
      const entry = await entryOf();
      if (!entry) return;
      const digest = entry.metadata.digest ?? (await this.digest(entry.body));
      const metadata = { ...entry.metadata, size: entry.body.length, digest };
      this.#spare.set(key, { body: entry.body, metadata }, entry.body.length);
    }
  }
}
