import { D1OrderedStore } from '@_all_docs/worker-cloudflare';
import { expect, it } from 'vitest';
import { codeOf, collect } from '../../../test/contract/_bytes.ts';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';
import { freshDatabase } from './_d1.ts';

const databases = new WeakMap<object, D1Database>();
const open = (db: D1Database) => {
  const store = new D1OrderedStore(db);
  databases.set(store, db);
  return store;
};

orderedStoreContract({
  name: 'D1OrderedStore',
  slow: { reason: 'each is a request' },
  create: async () => open(await freshDatabase()),
  reopen: (store) => open(databases.get(store) as D1Database),
});

it('a database that is down, or was never migrated, is trouble with a code, no miss and no refusal', async () => {
  const db = await freshDatabase();
  await db.exec('DROP TABLE rows');
  const store = open(db);
  expect(await codeOf(() => store.get('a'))).toBe('ERR_STORAGE_READ');
  expect(await codeOf(() => collect(store.list()))).toBe('ERR_STORAGE_READ');
  expect(await codeOf(() => store.commit([{ key: 'a', value: 'b' }]))).toBe('ERR_STORAGE_WRITE');
  expect(await codeOf(() => store.commit([], [{ key: 'a', value: 'b' }]))).toBe('ERR_STORAGE_WRITE');
});
