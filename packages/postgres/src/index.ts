/** @module PostgreSQL as storage, for any client of the `postgres` library. */
export type { ClientRow, Parameter, PostgresClient } from './client.js';
export { type DatabaseClock, PostgresDatabase, type PostgresOptions } from './database.js';
export { PostgresOrderedStore } from './postgres-ordered-store.js';
export { PostgresStorageDriver, type PostgresStorageOptions } from './postgres-storage-driver.js';
export { PostgresSyncDatabase } from './postgres-sync-database.js';
