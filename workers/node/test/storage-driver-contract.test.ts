import { type DirectoryDriver, NodeStorageDriver, SqliteStorageDriver } from '@_all_docs/worker-node';
import { rm } from 'node:fs/promises';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { ChaosDriver } from '../../../test/drivers/chaos.ts';
import { temporaryDirectory } from './_directory.ts';

for (const Driver of [NodeStorageDriver, SqliteStorageDriver]) {
  const create = async () => new Driver(await temporaryDirectory());
  storageDriverContract({
    name: Driver.name,
    create,
    reopen: (closed) => new Driver((closed as DirectoryDriver).cachePath),
    destroy: (driver) => rm((driver as DirectoryDriver).cachePath, { recursive: true, force: true }),
  });
  storageDriverContract({
    name: `ChaosDriver that never fails, around ${Driver.name}`,
    create: async () => new ChaosDriver(await create(), { share: 0 }),
    traits: { slow: { reason: 'the inner driver has just done it' } },
  });
}
