import type { ICacheSyncLogger } from './logger.js';
import type { SyncData, SyncDatabase, SyncRecord, SyncTime } from './sync-database.js';
import type { SyncTable } from './tables.js';

/** How a sync ended. It never throws: what could not be synced is read from the primary next time. */
export interface SyncResult {
  success: boolean;
  /** Why not. */
  error?: string;
}

/** How many failures of a batch are named. */
const NAMED = 3;

/** Copies a record to the cache database. */
export function syncRecord(
  table: SyncTable,
  id: string,
  data: SyncData,
  db: SyncDatabase,
  logger?: ICacheSyncLogger,
): Promise<SyncResult> {
  return attempt(() => db.upsert(table, id, data), 'sync', table, id, logger);
}

/**
 * Copies records in one transaction. When that fails, one by one, so that one bad record costs only itself; `error` then
 * says how many failed, and why.
 */
export async function syncBatch(
  table: SyncTable,
  records: readonly SyncRecord[],
  db: SyncDatabase,
  logger?: ICacheSyncLogger,
): Promise<SyncResult> {
  if (records.length === 0) return { success: true };
  try {
    await db.upsertAll(table, records);
    logger?.debug?.(`synced ${records.length} records of ${table}`);
    return { success: true };
  } catch (error) {
    logger?.warn?.(`cannot sync ${records.length} records of ${table} at once; trying one by one`, {
      error: messageOf(error),
    });
  }
  const failed: string[] = [];
  for (const { id, data } of records) {
    const { success, error } = await syncRecord(table, id, data, db, logger);
    if (!success) failed.push(`${id}: ${error}`);
  }
  if (failed.length === 0) return { success: true };
  const named = failed.slice(0, NAMED).join('; ');
  const more = failed.length > NAMED ? '; …' : '';
  return { success: false, error: `${failed.length} of ${records.length} records failed: ${named}${more}` };
}

/** Removes a record from the cache database; one that is not there is removed already. */
export function invalidateRecord(
  table: SyncTable,
  id: string,
  db: SyncDatabase,
  logger?: ICacheSyncLogger,
): Promise<SyncResult> {
  return attempt(() => db.delete(table, id), 'invalidate', table, id, logger);
}

/**
 * Whether a cached record is older than `maxAge` seconds by its `updatedAt`, else its `createdAt`. True as well when it is
 * not there, has no time, or the database fails: whoever asks then goes to the primary.
 */
export async function isCacheStale(
  table: SyncTable,
  id: string,
  db: SyncDatabase,
  maxAge: number,
  logger?: ICacheSyncLogger,
): Promise<boolean> {
  try {
    const record = await db.find(table, id);
    if (!record) return true;
    const age = (db.clock ?? Date).now() - millisecondsOf(record.updatedAt ?? record.createdAt);
    return !(age <= maxAge * 1_000);
  } catch (error) {
    logger?.warn?.(`cannot tell the age of ${id} in ${table}`, { error: messageOf(error) });
    return true;
  }
}

async function attempt(
  work: () => Promise<void>,
  verb: 'sync' | 'invalidate',
  table: SyncTable,
  id: string,
  logger: ICacheSyncLogger | undefined,
): Promise<SyncResult> {
  try {
    await work();
    logger?.debug?.(`${verb} of ${id} in ${table} is done`);
    return { success: true };
  } catch (error) {
    logger?.error?.(`cannot ${verb} ${id} in ${table}`, { error: messageOf(error) });
    return { success: false, error: messageOf(error) };
  }
}

function millisecondsOf(time: SyncTime): number {
  return typeof time === 'number' ? time : new Date(time).getTime();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
