import { type Cache, CacheError, type OrderedStore } from '@_all_docs/cache';

/** The ordered store beside a cache's entries. `ERR_NO_INDEX` where the driver has none: progress never lives in entries. */
export function orderedStoreOf(cache: Cache): OrderedStore {
  const { ordered } = cache.driver;
  if (!ordered) {
    throw new CacheError(
      'ERR_NO_INDEX',
      'this storage driver has no ordered store, and a checkpoint cannot live in cache entries; use a driver with an index',
    );
  }
  return ordered;
}
