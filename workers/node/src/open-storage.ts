import { CacheError } from '@_all_docs/cache';
import { openCacheDirectory, type StoreKind } from './cache-directory.js';
import { systemClock } from './clock.js';
import type { DirectoryDriver, NodeStorageOptions } from './directory-driver.js';
import { nodeFileSystem } from './file-system.js';
import { NodeStorageDriver } from './node-storage-driver.js';
import { SqliteStorageDriver } from './sqlite-storage-driver.js';

/**
 * The driver of a replica's directory: of the kind that the directory is, else of the one asked for. It is open, so all
 * trouble with the directory shows here.
 */
export async function openStorage(
  path: string,
  { kind, ...options }: NodeStorageOptions & { kind?: StoreKind | undefined } = {},
): Promise<DirectoryDriver> {
  if (/^[a-z]+:\/\//.test(path)) {
    // The URL is not repeated: it may hold a password.
    throw new CacheError(
      'ERR_CACHE_UNWRITABLE',
      'a URL is not the directory of a replica; a PostgreSQL database is opened by openPostgres of @_all_docs/worker-node/postgres',
    );
  }
  const { fs = nodeFileSystem, clock = systemClock, durability } = options;
  const directory = await openCacheDirectory(path, { fs, clock, kind, durability });
  const Driver = directory.kind === 'sqlite' ? SqliteStorageDriver : NodeStorageDriver;
  return new Driver(path, { ...options, directory });
}
