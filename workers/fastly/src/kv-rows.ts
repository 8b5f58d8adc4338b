import type { OrderedStore, StorageDriver } from '@_all_docs/cache';

/** Rows that were pushed, out of a KV Store: each is an entry, its text the value. They are read one by one, and nothing else. */
export class KvRows implements Pick<OrderedStore, 'get'> {
  readonly #storage: StorageDriver;

  constructor(storage: StorageDriver) {
    this.#storage = storage;
  }

  async get(key: string): Promise<string | undefined> {
    const entry = await this.#storage.read(key);
    return entry && new TextDecoder().decode(entry.body);
  }
}
