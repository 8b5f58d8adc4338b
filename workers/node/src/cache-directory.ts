import { CacheError, type OrderedStore, prefixRange } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { OWNER_PREFIX } from '@_all_docs/worker';
import { join } from 'node:path';
import { DirectoryLock } from './directory-lock.js';
import type { FileSystem } from './file-system.js';
import { type Durability, SqliteFile, unusable } from './sqlite-file.js';
import { SqliteOrderedStore } from './sqlite-ordered-store.js';

export const INDEX = 'index.sqlite';
export const LOCK = 'lock.sqlite';

/** The row that says which kind of store a directory is. */
export const STORE_KEY = 'v1:store';
/** What the keys of all index rows begin with, where bodies are kept in cacache. */
export const ENTRY = 'entry:';

/** How a replica's bodies are kept: one file each in cacache's folders, or all in the SQLite file of the index. */
export type StoreKind = 'cacache' | 'sqlite';

/** A directory that holds a replica: our index and lock, and cacache's folders beside them where bodies are kept there. */
export interface CacheDirectory {
  path: string;
  kind: StoreKind;
  file: SqliteFile;
  ordered: SqliteOrderedStore;
  close(): void;
}

export interface CacheDirectoryOptions {
  fs: FileSystem;
  clock: Pick<Clock, 'sleep'>;
  /** Which kind of store it must be; an empty directory becomes that kind (`cacache` unless told), another kind is `ERR_STORE_MISMATCH`. */
  kind?: StoreKind | undefined;
  durability?: Durability | undefined;
}

/**
 * Opens a replica's directory, making it where there is none. Whoever comes alone clears what dead processes left:
 * temporary files and the names of lease owners. `ERR_CACHE_UNWRITABLE`, `ERR_CACHE_FOREIGN` (something else lies there),
 * `ERR_CACHE_NEWER`, `ERR_STORE_MISMATCH`.
 */
export async function openCacheDirectory(path: string, options: CacheDirectoryOptions): Promise<CacheDirectory> {
  const { fs, clock } = options;
  await prepare(path, fs);
  const file = new SqliteFile(join(path, INDEX), options.durability);
  const ordered = new SqliteOrderedStore(file);
  let lock: DirectoryLock | undefined;
  try {
    lock = new DirectoryLock(join(path, LOCK));
    await lock.join(async () => {
      await clearRemains(path, fs, ordered);
      await forgetKindOfEmpty(file, ordered, options.kind);
    }, clock);
    const kind = await settleKind(path, ordered, options.kind);
    const held = lock;
    const close = () => {
      file.close();
      held.close();
    };
    return { path, kind, file, ordered, close };
  } catch (error) {
    lock?.close();
    file.close();
    throw unusable(path, error);
  }
}

/**
 * A directory in which nothing is stored may still become another kind: a look at it, or a plan, must not decide how
 * millions of entries are kept.
 */
async function forgetKindOfEmpty(
  file: SqliteFile,
  ordered: OrderedStore,
  wanted: StoreKind | undefined,
): Promise<void> {
  const known = await ordered.get(STORE_KEY);
  if (wanted === undefined || known === undefined || known === wanted) return;
  for await (const _ of ordered.list({ ...prefixRange(ENTRY), limit: 1 })) return;
  const table = file.database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'entries'").get();
  if (table && file.database.prepare('SELECT 1 FROM entries LIMIT 1').get()) return;
  await ordered.commit([{ key: STORE_KEY, value: undefined }]);
}

/** The kind that the directory is; decided once, by whoever opens it first. */
async function settleKind(path: string, ordered: OrderedStore, wanted: StoreKind | undefined): Promise<StoreKind> {
  const known = await ordered.get(STORE_KEY);
  if (known === undefined) {
    const value = wanted ?? 'cacache';
    const first = await ordered.commit([{ key: STORE_KEY, value }], [{ key: STORE_KEY, value: undefined }]);
    return first ? value : settleKind(path, ordered, wanted);
  }
  if (wanted !== undefined && wanted !== known) {
    throw new CacheError(
      'ERR_STORE_MISMATCH',
      `${path} keeps its entries in ${known}, not in ${wanted}; leave --store out, or choose another directory with --cache and copy this one there with: _all_docs cache import ${path}`,
    );
  }
  return known as StoreKind;
}

async function prepare(path: string, fs: FileSystem): Promise<void> {
  let names: string[];
  try {
    await fs.mkdir(path, { recursive: true });
    names = await fs.readdir(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  // A power cut may leave a journal without the index that it was for: its name tells that it is ours.
  if (names.length > 0 && !names.some((name) => name.startsWith(INDEX))) {
    throw new CacheError(
      'ERR_CACHE_FOREIGN',
      `${path} holds something else (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}); choose an empty or a new directory with --cache`,
    );
  }
}

async function clearRemains(path: string, fs: FileSystem, ordered: OrderedStore): Promise<void> {
  // cacache writes here first and renames: what lies here now was never committed.
  await fs.rm(join(path, 'tmp'), { recursive: true, force: true });
  const owners: string[] = [];
  for await (const [key] of ordered.list(prefixRange(OWNER_PREFIX))) owners.push(key);
  if (owners.length > 0) await ordered.commit(owners.map((key) => ({ key, value: undefined })));
}
