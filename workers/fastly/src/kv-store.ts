import { guard } from './entry.js';
import type { KvStore } from './host.js';

/** Longest value of a KV Store, unless its owner had it raised. */
export const MAX_VALUE_BYTES = 25 * 1024 * 1024;

const PAGE = 1_000;

/** Keys of a store that begin with a prefix, as KV lists them: in the order of their bytes. `ERR_STORAGE_READ`. */
export async function* listKv(store: KvStore, prefix: string): AsyncIterable<string> {
  let cursor: string | undefined;
  do {
    const asked = { limit: PAGE, ...(prefix ? { prefix } : {}), ...(cursor ? { cursor } : {}) };
    const page = await guard('ERR_STORAGE_READ', prefix, () => store.list(asked));
    yield* page.list;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Deletes a key; what is not there is deleted already, which KV takes for an error. */
export async function deleteKv(store: KvStore, key: string): Promise<void> {
  try {
    await store.delete(key);
  } catch (error) {
    if (!/not found/i.test(String(error))) throw error;
  }
}
