/** @module Tiers of caches in front of a primary store, and the functions that keep rows in step. */
export type { TierClock } from './clock.js';
export { LargeObjectDriver, type LargeObjectOptions } from './large-object-driver.js';
export type { ICacheSyncLogger } from './logger.js';
export { invalidateRecord, isCacheStale, type SyncResult, syncBatch, syncRecord } from './sync.js';
export { type CacheSyncConfig, cacheSyncConfig } from './sync-config.js';
export type { SyncData, SyncDatabase, SyncedRecord, SyncRecord, SyncTime } from './sync-database.js';
export { DEFAULT_SYNC_TABLES, type SyncTable, tableOf } from './tables.js';
export type { TierStats } from './tier.js';
export { TieredCache, type TieredCacheOptions, type TieredCacheStats } from './tiered-cache.js';
export { OrderedTombstones, type OrderedTombstonesOptions, type Tombstones } from './tombstones.js';
