/** @module Cache keys, storage drivers, the ordered store. */
export { Cache } from './cache.js';
export { digestOf } from './digest.js';
export {
  assertKey,
  type EntryEncoding,
  type EntryMetadata,
  type ListOptions,
  type OpenedEntry,
  opened,
  StorageDriver,
  type StorageReader,
  type StoredEntry,
} from './driver.js';
export { CacheError, type CacheErrorCode } from './errors.js';
export { fingerprint } from './fingerprint.js';
export { hex, unhex } from './hex.js';
export {
  createAbbreviatedKey,
  createPackumentKey,
  createPackumentPrefix,
  createPartitionKey,
  createPartitionPrefix,
  type DecodedKey,
  decodeCacheKey,
  packumentPrefix,
} from './keys.js';
export { MemoryStorageDriver } from './memory-driver.js';
export { MemoryOrderedStore } from './memory-ordered-store.js';
export { compareBytes } from './order.js';
export { type OrderedStore, prefixRange, type RowChange, type RowExpectation, type RowRange } from './ordered-store.js';
export { encodeOrigin, normalizeOrigin } from './origin.js';
export { createStorageDriver, type StorageEnv } from './storage.js';
