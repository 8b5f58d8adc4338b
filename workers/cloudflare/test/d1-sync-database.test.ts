import { D1SyncDatabase } from '@_all_docs/worker-cloudflare';
import { syncDatabaseContract } from '../../../test/contract/sync-database.ts';
import { freshDatabase } from './_d1.ts';

syncDatabaseContract({
  name: 'D1SyncDatabase',
  create: async (clock) => new D1SyncDatabase(await freshDatabase(), { clock }),
  destroy: () => undefined,
});
