import type { PostgresOrderedStore, PostgresStorageDriver } from '@_all_docs/worker-node/postgres';
import { openPostgres } from '@_all_docs/worker-node/postgres';
import { afterAll } from 'vitest';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { startPostgres, whyNoPostgres } from '../../../test/servers/postgres.ts';

const reason = whyNoPostgres();
if (reason) {
  console.log(`PostgresStorageDriver: skipped, ${reason}`);
} else {
  const server = await startPostgres();
  afterAll(() => server.stop());
  let count = 0;
  const schemas = new WeakMap<object, string>();
  const drivers = new WeakMap<object, PostgresStorageDriver>();
  const open = (schema: string) => {
    const driver = openPostgres(server.url, { schema, connections: 4 });
    schemas.set(driver, schema);
    drivers.set(driver.ordered, driver);
    return driver;
  };
  const fresh = () => {
    count += 1;
    return open(`contract_${count}`);
  };

  storageDriverContract({
    name: 'PostgresStorageDriver',
    create: fresh,
    reopen: (closed) => open(schemas.get(closed) as string),
  });

  orderedStoreContract({
    name: 'PostgresOrderedStore',
    create: () => fresh().ordered,
    reopen: async (store) => {
      const driver = drivers.get(store) as PostgresStorageDriver;
      await driver.close();
      return open(schemas.get(driver) as string).ordered;
    },
    destroy: (store) => drivers.get(store as PostgresOrderedStore)?.close(),
  });
}
