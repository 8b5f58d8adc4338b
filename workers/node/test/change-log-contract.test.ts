import { SqliteOrderedStore } from '@_all_docs/worker-node';
import { join } from 'node:path';
import { changeLogContract } from '../../../test/contract/change-log.ts';
import { temporaryDirectory } from './_directory.ts';

changeLogContract({
  name: 'SqliteOrderedStore',
  create: async () => new SqliteOrderedStore(join(await temporaryDirectory(), 'rows.sqlite')),
  destroy: (store) => (store as SqliteOrderedStore).close(),
});
