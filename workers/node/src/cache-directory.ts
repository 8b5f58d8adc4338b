import { CacheError, prefixRange } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { OWNER_PREFIX } from '@_all_docs/worker';
import { join } from 'node:path';
import { DirectoryLock } from './directory-lock.js';
import type { FileSystem } from './file-system.js';
import { SqliteOrderedStore, unusable } from './sqlite-ordered-store.js';

const INDEX = 'index.sqlite';
const LOCK = 'lock.sqlite';

/** A directory that holds a replica: cacache's folders, and beside them our index and lock. */
export interface CacheDirectory {
  path: string;
  ordered: SqliteOrderedStore;
  close(): void;
}

/**
 * Opens a replica's directory, making it where there is none. Whoever comes alone clears what dead processes left:
 * temporary files and the names of lease owners. `ERR_CACHE_UNWRITABLE`, `ERR_CACHE_FOREIGN` (something else lies there),
 * `ERR_CACHE_NEWER`.
 */
export async function openCacheDirectory(
  path: string,
  fs: FileSystem,
  clock: Pick<Clock, 'sleep'>,
): Promise<CacheDirectory> {
  await prepare(path, fs);
  const ordered = new SqliteOrderedStore(join(path, INDEX));
  let lock: DirectoryLock | undefined;
  try {
    lock = new DirectoryLock(join(path, LOCK));
    await lock.join(() => clearRemains(path, fs, ordered), clock);
  } catch (error) {
    lock?.close();
    ordered.close();
    throw unusable(path, error);
  }
  const held = lock;
  return {
    path,
    ordered,
    close() {
      ordered.close();
      held.close();
    },
  };
}

async function prepare(path: string, fs: FileSystem): Promise<void> {
  let names: string[];
  try {
    await fs.mkdir(path, { recursive: true });
    names = await fs.readdir(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  if (names.length > 0 && !names.includes(INDEX)) {
    throw new CacheError(
      'ERR_CACHE_FOREIGN',
      `${path} holds something else (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}); choose an empty or a new directory with --cache`,
    );
  }
}

async function clearRemains(path: string, fs: FileSystem, ordered: SqliteOrderedStore): Promise<void> {
  // cacache writes here first and renames: what lies here now was never committed.
  await fs.rm(join(path, 'tmp'), { recursive: true, force: true });
  const owners: string[] = [];
  for await (const [key] of ordered.list(prefixRange(OWNER_PREFIX))) owners.push(key);
  if (owners.length > 0) await ordered.commit(owners.map((key) => ({ key, value: undefined })));
}
