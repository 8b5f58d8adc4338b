import { MemoryStorageDriver, type StorageDriver } from '@_all_docs/cache';
import { TieredCache } from '@_all_docs/tier';
import { NodeStorageDriver, SqliteStorageDriver, systemClock, zlibCodec } from '@_all_docs/worker-node';
import { rm } from 'node:fs/promises';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { temporaryDirectory } from './_directory.ts';

/** Tiers on real engines, each made in a directory of its own. */
const KINDS: [about: string, make: ((path: string) => StorageDriver)[]][] = [
  ['SQLite alone', [(path) => new SqliteStorageDriver(path)]],
  ['memory and SQLite', [() => new MemoryStorageDriver(), (path) => new SqliteStorageDriver(path)]],
  [
    'memory, SQLite and cacache',
    [() => new MemoryStorageDriver(), (path) => new SqliteStorageDriver(path), (path) => new NodeStorageDriver(path)],
  ],
];

for (const [about, make] of KINDS) {
  const paths = new WeakMap<object, string[]>();
  const open = (directories: string[]) => {
    const cache = new TieredCache({
      tiers: make.map((driver, i) => driver(directories[i] as string)),
      clock: systemClock,
      tableOf: () => 'packuments',
      codec: zlibCodec,
    });
    paths.set(cache, directories);
    return cache;
  };
  storageDriverContract({
    name: `TieredCache of ${about}`,
    create: async () => open(await Promise.all(make.map(() => temporaryDirectory()))),
    reopen: (closed) => open(paths.get(closed) as string[]),
    destroy: async (driver) => {
      for (const path of paths.get(driver) ?? []) await rm(path, { recursive: true, force: true });
    },
    traits: { ownNotes: { reason: 'these notes are its own' } },
  });
}
