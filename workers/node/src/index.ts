/** @module Node.js bindings: cacache and SQLite storage, undici, the environment. */

export { createNodeHashers } from './blake3.js';
export type { BlobFileSystem } from './blob-file-system.js';
export type { StoreKind } from './cache-directory.js';
export { type ClearedReplica, type ClearOptions, clearReplica } from './clear-replica.js';
export { systemClock } from './clock.js';
export { type CreateEnvOptions, createEnv, type NodeEnv } from './create-env.js';
export { defaultCacheDirectory } from './default-cache.js';
export { DirectoryDriver, type NodeStorageOptions } from './directory-driver.js';
export { type DirectorySize, directorySize } from './directory-size.js';
export { type FileSystem, nodeFileSystem } from './file-system.js';
export { FsBlobBackend, type FsBlobBackendOptions } from './fs-blob-backend.js';
export { type ImportEvent, type ImportOptions, type ImportResult, importReplica } from './import-replica.js';
export { measureReplica, type ReplicaSize } from './measure-replica.js';
export { type Network, type NetworkOptions, type Origins, openNetwork, resolveOrigins } from './network.js';
export { NodeStorageDriver } from './node-storage-driver.js';
export { deriveOrigin, type NpmSettings, readNpmSettings } from './npm-config.js';
export { assertHasBlobs, blobsAt, type OpenBlobs, type OpenBlobsOptions, openBlobs } from './open-blobs.js';
export { openStorage } from './open-storage.js';
export { reclaimSpace } from './reclaim-space.js';
export { createReplicaMender, type ReplicaMender } from './replica-mender.js';
export { ReplicaSource, type SourceEntry } from './replica-source.js';
export { type Durability, SqliteFile } from './sqlite-file.js';
export { SqliteOrderedStore } from './sqlite-ordered-store.js';
export { SqliteStorageDriver } from './sqlite-storage-driver.js';
export { SqliteSyncDatabase } from './sqlite-sync-database.js';
export { type SweepBlobsOptions, sweepBlobsNowAndThen } from './sweep-blobs.js';
export {
  type ClosableStreamingTransport,
  createUndiciStreamingTransport,
  type UndiciStreamingOptions,
} from './undici-streaming-transport.js';
export { type ClosableTransport, createUndiciTransport, type UndiciTransportOptions } from './undici-transport.js';
export { USE_MARKS } from './use-marks.js';
export { type VerifyEvent, type VerifyOptions, type VerifyResult, verifyReplica } from './verify-replica.js';
export { VERSION } from './version.js';
export { zlibCodec } from './zlib-codec.js';
export { zstdCodec } from './zstd-codec.js';
