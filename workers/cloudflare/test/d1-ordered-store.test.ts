import { D1OrderedStore } from '@_all_docs/worker-cloudflare';
import { applyD1Migrations, type D1Migration } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';
import { spares } from './_spare.ts';

const next = spares<D1Database>('D1');
const databases = new WeakMap<object, D1Database>();
const open = (db: D1Database) => {
  const store = new D1OrderedStore(db);
  databases.set(store, db);
  return store;
};

orderedStoreContract({
  name: 'D1OrderedStore',
  create: async () => {
    const db = next();
    await applyD1Migrations(db, (env as unknown as { MIGRATIONS: D1Migration[] }).MIGRATIONS);
    return open(db);
  },
  reopen: (store) => open(databases.get(store) as D1Database),
});
