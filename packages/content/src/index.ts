/** @module Content-addressed blobs: hashes, store, references, eviction. */
export { assertRange, type BlobBackend, type BlobStat, type ByteRange } from './backend.js';
export {
  BLOB_PREFIX,
  BlobIndex,
  type BlobRow,
  INDEX_PREFIXES,
  type IndexClock,
  type IndexRow,
  type Linkable,
  type SweepOptions,
  VERSION_PREFIX,
} from './blob-index.js';
export { ContentError, type ContentErrorCode } from './errors.js';
export { type Eviction, ExpiryManager, type ExpiryOptions, type ExpiryResult } from './expiry-manager.js';
export { Hash, type HashAlgorithm } from './hash.js';
export type { DigestAlgorithm, Hasher, Hashers } from './hasher.js';
export { type Expectation, IntegrityCheck, integrityOfShasum } from './integrity.js';
export { MemoryBlobBackend } from './memory-backend.js';
export type { BlobCodec } from './packing.js';
export {
  type BlobEncoding,
  type PutOptions,
  type PutResult,
  Store,
  type StoredBlob,
  type StoreOptions,
} from './store.js';
