/** @module Cloudflare bindings of the core. The Durable Objects have an entry of their own, `./objects`: they load nowhere else. */
export type { Bindings } from './bindings.js';
export { CacheApiDriver, type CacheApiOptions } from './cache-api-driver.js';
export { CloudflareQueue } from './cloudflare-queue.js';
export { type CloudflareEnv, createEnv } from './create-env.js';
export { D1OrderedStore } from './d1-ordered-store.js';
export { D1SyncDatabase } from './d1-sync-database.js';
export { digestHashers } from './digest-hashers.js';
export { DurableObjectOrderedStore } from './durable-object-ordered-store.js';
export { DurableObjectQueue, type DurableObjectQueueOptions } from './durable-object-queue.js';
export { createFetchStreaming, createFetchTransport, type FetchTransportOptions } from './fetch-transport.js';
export { CloudflareStorageDriver, type CloudflareStorageOptions } from './kv-driver.js';
export { R2BlobBackend } from './r2-blob-backend.js';
export { R2StorageDriver } from './r2-driver.js';
export { ReplicaStore } from './replica-store.js';
