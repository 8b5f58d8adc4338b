import { digestOf } from './digest.js';
import { assertKey, type EntryMetadata, type ListOptions, StorageDriver, type StoredEntry } from './driver.js';
import { MemoryOrderedStore } from './memory-ordered-store.js';
import { compareBytes } from './order.js';

/** The reference driver: entries in memory, gone with the process. */
export class MemoryStorageDriver extends StorageDriver {
  override readonly ordered = new MemoryOrderedStore();
  readonly #entries = new Map<string, StoredEntry>();

  async read(key: string): Promise<StoredEntry | undefined> {
    assertKey(key, this.maxKeyBytes);
    const entry = this.#entries.get(key);
    return entry && { body: entry.body.slice(), metadata: { ...entry.metadata } };
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    const entry = this.#entries.get(key);
    return entry && { ...entry.metadata };
  }

  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const own = body.slice();
    const digest = metadata.digest ?? (await digestOf(own));
    this.#entries.set(key, { body: own, metadata: { ...metadata, size: own.length, digest } });
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    this.#entries.delete(key);
  }

  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    const keys = [...this.#entries.keys()]
      .filter((key) => key.startsWith(prefix) && (after === undefined || compareBytes(key, after) > 0))
      .sort(compareBytes);
    yield* keys.slice(0, limit);
  }
}
