import { SqliteSyncDatabase, systemClock } from '@_all_docs/worker-node';
import { openPostgresSync } from '@_all_docs/worker-node/postgres';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { syncDatabaseContract } from '../../../test/contract/sync-database.ts';
import { startPostgres, whyNoPostgres } from '../../../test/servers/postgres.ts';
import { temporaryDirectory } from './_directory.ts';

syncDatabaseContract({
  name: 'SqliteSyncDatabase',
  create: async (clock) => new SqliteSyncDatabase(join(await temporaryDirectory(), 'synced.sqlite'), { clock }),
  destroy: (database) => (database as SqliteSyncDatabase).close(),
});

const reason = whyNoPostgres();
if (reason) {
  console.log(`PostgresSyncDatabase: skipped, ${reason}`);
} else {
  const server = await startPostgres();
  afterAll(() => server.stop());
  syncDatabaseContract({
    name: 'PostgresSyncDatabase',
    create: (clock) => openPostgresSync(server.url, { clock: { ...systemClock, ...clock } }),
    destroy: (database) => (database as ReturnType<typeof openPostgresSync>).close(),
  });
}
