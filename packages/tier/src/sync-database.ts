import type { SyncTable } from './tables.js';

/** A row as the primary has it: plain JSON. */
export type SyncData = Record<string, unknown>;

export interface SyncRecord {
  id: string;
  data: SyncData;
}

/** When a synced record was written here: epoch milliseconds, a `Date`, or text that `Date` reads. */
export type SyncTime = number | string | Date;

/** A record as a cache database has it. */
export interface SyncedRecord extends SyncRecord {
  createdAt: SyncTime;
  /** Of the last upsert; absent when it was written only once. */
  updatedAt?: SyncTime | null | undefined;
}

/**
 * The database that records are copied to: D1, SQLite, PostgreSQL. Everything may reject; the sync functions turn that
 * into results. A binding keeps all tables in one, with the table's name as a column: names never become SQL.
 */
export interface SyncDatabase {
  /** The time that ages are told by; the platform's unless given. */
  readonly clock?: { now(): number } | undefined;
  /** The record; `undefined` where there is none. */
  find(table: SyncTable, id: string): Promise<SyncedRecord | undefined>;
  /** Writes the record, dated now, over what is there; `createdAt` stays that of the first time. */
  upsert(table: SyncTable, id: string, data: SyncData): Promise<void>;
  /** {@link upsert} of all records in one transaction: all of them or none. */
  upsertAll(table: SyncTable, records: readonly SyncRecord[]): Promise<void>;
  /** Removes the record; what is not there is removed already. */
  delete(table: SyncTable, id: string): Promise<void>;
}
