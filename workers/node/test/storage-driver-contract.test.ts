import { NodeStorageDriver } from '@_all_docs/worker-node';
import { rm } from 'node:fs/promises';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { ChaosDriver } from '../../../test/drivers/chaos.ts';
import { temporaryDirectory } from './_directory.ts';

const create = async () => new NodeStorageDriver(await temporaryDirectory());

storageDriverContract({
  name: 'NodeStorageDriver',
  create,
  reopen: (closed) => new NodeStorageDriver((closed as NodeStorageDriver).cachePath),
  destroy: (driver) => rm((driver as NodeStorageDriver).cachePath, { recursive: true, force: true }),
});

storageDriverContract({
  name: 'ChaosDriver that never fails, around NodeStorageDriver',
  create: async () => new ChaosDriver(await create(), { share: 0 }),
  traits: { slow: { reason: 'the inner driver has just done it' } },
});
