import { DEFAULT_SYNC_TABLES, type SyncTable } from './tables.js';

/** What is kept in step, and when. */
export interface CacheSyncConfig {
  /** Tables that are synced. */
  syncTables: readonly SyncTable[];
  /** Seconds after which a synced record is stale. */
  maxAge: number;
  /** `write-through`: at each write; `lazy`: when a read misses or finds a stale record. */
  strategy: 'write-through' | 'lazy';
}

/** The configuration with what was left out filled in. A `TypeError` names the option that cannot be. */
export function cacheSyncConfig(options: Partial<CacheSyncConfig> = {}): CacheSyncConfig {
  const { syncTables = DEFAULT_SYNC_TABLES, maxAge = 300, strategy = 'write-through' } = options;
  if (!Array.isArray(syncTables) || syncTables.some((table) => typeof table !== 'string' || table === ''))
    throw new TypeError('syncTables must be a list of table names');
  if (!(maxAge >= 0)) throw new TypeError(`maxAge must be a number of seconds, not ${maxAge}`);
  if (strategy !== 'write-through' && strategy !== 'lazy')
    throw new TypeError(`strategy must be write-through or lazy, not ${strategy}`);
  return { syncTables, maxAge, strategy };
}
