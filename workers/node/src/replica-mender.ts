import { CacheError } from '@_all_docs/cache';
import { BlobIndex, type BlobRow, type Hash, type IndexRow, type Store } from '@_all_docs/content';
import type { Clock } from '@_all_docs/http';
import type { DirectoryDriver } from './directory-driver.js';
import type { SourceEntry } from './replica-source.js';

/** Removes what was found damaged, unless somebody has put it right meanwhile. Each gives whether something was removed. */
export interface ReplicaMender {
  /** The value of a row as it is now. */
  row(key: string): Promise<string | undefined>;
  removeEntry(entry: SourceEntry): Promise<boolean>;
  removeBlob(hash: Hash): Promise<boolean>;
  removeRow(key: string, row: IndexRow): Promise<boolean>;
  /** Not a removal: the row of a blob that is whole gets its size. */
  correctSize(key: string, text: string, size: number): Promise<boolean>;
}

export function createReplicaMender(
  storage: DirectoryDriver,
  store: Store,
  clock: Pick<Clock, 'now' | 'sleep'>,
): ReplicaMender {
  const { ordered } = storage;
  const index = new BlobIndex({ ordered, store, clock });
  return {
    row: (key) => ordered.get(key),
    async removeEntry({ key, metadata: { digest, storedAt } }) {
      // A damaged body may be put away by the very reading of it.
      const gone = await readsAsDamaged(storage, key);
      const now = await storage.head(key);
      if (now && (now.digest !== digest || now.storedAt !== storedAt)) return false;
      if (!now) return gone;
      await storage.delete(key);
      return true;
    },
    async removeBlob(hash) {
      await store.delete(hash);
      return true;
    },
    async removeRow(key, { at }) {
      if ((await index.get(key))?.at !== at) return false;
      await index.unlink(key, { at });
      return true;
    },
    async correctSize(key, text, size) {
      const row = JSON.parse(text) as BlobRow;
      await ordered.commit([{ key, value: JSON.stringify({ ...row, size }) }], [{ key, value: text }]);
      return false;
    },
  };
}

/** Also for an entry that is there by its row alone. */
async function readsAsDamaged(storage: DirectoryDriver, key: string): Promise<boolean> {
  try {
    return (await storage.read(key)) === undefined;
  } catch (error) {
    if (error instanceof CacheError && error.code === 'ERR_CORRUPT') return true;
    throw error;
  }
}
