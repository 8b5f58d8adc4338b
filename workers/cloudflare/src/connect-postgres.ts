import { PostgresStorageDriver } from '@_all_docs/postgres';
import postgres from 'postgres';
import { systemClock } from './clock.js';

/** A driver over one connection, opened at the first query; `close` ends it. `isReady` where the tables are known to be there. */
export function connectPostgres(url: string, isReady: boolean): PostgresStorageDriver {
  const client = postgres(url, { max: 1, connect_timeout: 10, fetch_types: false, onnotice: () => {} });
  return new PostgresStorageDriver(client, { clock: systemClock, isReady, end: () => client.end({ timeout: 5 }) });
}
