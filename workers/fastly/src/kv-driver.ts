import {
  assertKey,
  CacheError,
  compareBytes,
  type EntryMetadata,
  type ListOptions,
  type OpenedEntry,
  opened,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { guard, pack, storageError, unpack, whole } from './entry.js';
import type { KvEntry, KvPutOptions, KvStore } from './host.js';
import { fromKvKey, toKvKey } from './kv-key.js';
import { deleteKv, listKv, MAX_VALUE_BYTES } from './kv-store.js';

const MAX_KEY_BYTES = 1_024;
const MAX_METADATA_BYTES = 1_000;

/**
 * Entries in a KV Store: the body as the value, what is known of it as the value's metadata. Read everywhere; a write is
 * seen elsewhere a little later, and the last one wins, so that a `touch` beside a `write` may undo it.
 */
export class FastlyStorageDriver extends StorageDriver {
  override readonly maxKeyBytes = MAX_KEY_BYTES;
  readonly #store: KvStore;

  constructor(store: KvStore) {
    super();
    this.#store = store;
  }

  read(key: string): Promise<StoredEntry | undefined> {
    return this.#find(key, async (found) => {
      const buffer = await guard('ERR_STORAGE_READ', key, () => found.arrayBuffer());
      return whole(key, unpack(key, found.metadataText()), buffer);
    });
  }

  /** One look-up; the body stays with the host. */
  head(key: string): Promise<EntryMetadata | undefined> {
    return this.#find(key, (found) => unpack(key, found.metadataText()));
  }

  /** One look-up; a body that goes straight into an answer never comes into this sandbox. */
  override open(key: string): Promise<OpenedEntry | undefined> {
    return this.#find(key, (found) => opened(unpack(key, found.metadataText()), found.body));
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    await this.#put(key, entry, {});
  }

  /**
   * Writes an entry where there is none; `false`, and nothing is changed, where there is one. KV knows generations, too,
   * but its interface for JavaScript tells none: no other condition can be set.
   */
  async add(key: string, entry: StoredEntry): Promise<boolean> {
    try {
      await this.#put(key, entry, { mode: 'add' });
      return true;
    } catch (error) {
      if (error instanceof CacheError && /precondition failed/i.test(error.message)) return false;
      throw error;
    }
  }

  async delete(key: string): Promise<void> {
    const kvKey = assertKv(key);
    await guard('ERR_STORAGE_WRITE', key, () => deleteKv(this.#store, kvKey));
  }

  /** 1,000 keys a request. KV goes on from a cursor, not from a key: what lies before `after` is passed over. */
  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    let left = limit;
    if (left <= 0) return;
    for await (const kvKey of listKv(this.#store, toKvKey(prefix))) {
      const key = fromKvKey(kvKey);
      if (after !== undefined && compareBytes(key, after) <= 0) continue;
      yield key;
      left -= 1;
      if (left <= 0) return;
    }
  }

  /** One look-up, and what is made of what it finds. */
  async #find<Value>(key: string, make: (found: KvEntry) => Value | Promise<Value>): Promise<Value | undefined> {
    const kvKey = assertKv(key);
    let found: KvEntry | null;
    try {
      found = await this.#store.get(kvKey);
    } catch (cause) {
      throw storageError('ERR_STORAGE_READ', key, cause);
    }
    return found ? make(found) : undefined;
  }

  async #put(key: string, entry: StoredEntry, options: KvPutOptions): Promise<void> {
    const kvKey = assertKv(key);
    const metadata = await pack(entry);
    if (metadata.length > MAX_METADATA_BYTES || entry.body.length > MAX_VALUE_BYTES) {
      throw new CacheError(
        'ERR_VALUE_TOO_LARGE',
        `${key}: the KV Store takes ${MAX_METADATA_BYTES} bytes of metadata and ${MAX_VALUE_BYTES} of body, not ${metadata.length} and ${entry.body.length}`,
      );
    }
    const { expiresAt } = entry.metadata;
    const ttl = expiresAt === undefined ? {} : { ttl: Math.max(1, Math.ceil((expiresAt - this.clock.now()) / 1000)) };
    await guard('ERR_STORAGE_WRITE', key, () => this.#store.put(kvKey, entry.body, { ...options, metadata, ...ttl }));
  }
}

/** The key as KV has it, which has to fit as well. */
function assertKv(key: string): string {
  assertKey(key, MAX_KEY_BYTES);
  const kvKey = toKvKey(key);
  if (kvKey !== key) assertKey(kvKey, MAX_KEY_BYTES);
  return kvKey;
}
