import { SqliteOrderedStore } from '@_all_docs/worker-node';
import { join } from 'node:path';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';
import { temporaryDirectory } from './_directory.ts';

const paths = new WeakMap<object, string>();

function open(path: string): SqliteOrderedStore {
  const store = new SqliteOrderedStore(path);
  paths.set(store, path);
  return store;
}

orderedStoreContract({
  name: 'SqliteOrderedStore',
  create: async () => open(join(await temporaryDirectory(), 'rows.sqlite')),
  reopen: (store) => {
    (store as SqliteOrderedStore).close();
    return open(paths.get(store) as string);
  },
  destroy: (store) => (store as SqliteOrderedStore).close(),
});
