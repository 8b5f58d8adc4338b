import { CacheError } from '@_all_docs/cache';
import { Store } from '@_all_docs/content';
import type { Clock } from '@_all_docs/http';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createNodeHashers } from './blake3.js';
import { LOCK } from './cache-directory.js';
import { systemClock } from './clock.js';
import { DirectoryLock } from './directory-lock.js';
import { FsBlobBackend } from './fs-blob-backend.js';
import type { Durability } from './sqlite-file.js';
import { readError, writeError } from './storage-errors.js';
import { zstdCodec } from './zstd-codec.js';

/** The blobs of a replica. `close` when nobody writes any more. */
export interface OpenBlobs {
  store: Store;
  backend: FsBlobBackend;
  /** Whether they lie in the replica's own directory, where nobody else keeps any. */
  own: boolean;
  close(): void;
}

export interface OpenBlobsOptions {
  /** The directory where they lie; the replica's unless told. */
  storage?: string | undefined;
  durability?: Durability | undefined;
  clock?: Pick<Clock, 'sleep'> | undefined;
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/**
 * The blobs of the replica in `cache`, which is open. Whoever comes alone to another directory than the replica's
 * clears what dead processes left in its `tmp/`, as `openCacheDirectory` does there. Rejects with `ERR_STORAGE_WRITE`.
 */
export async function openBlobs(
  cache: string,
  { storage = cache, durability, clock = systemClock }: OpenBlobsOptions = {},
): Promise<OpenBlobs> {
  const own = resolve(storage) === resolve(cache);
  const lock = own ? undefined : await lockDirectory(storage, clock);
  return { ...blobsAt(storage, durability), own, close: () => lock?.close() };
}

/** Blobs that are only read: nothing is made, locked or cleared. */
export function blobsAt(storage: string, durability?: Durability): { store: Store; backend: FsBlobBackend } {
  const backend = new FsBlobBackend(storage, { durability });
  return { backend, store: new Store({ backend, hashers: createNodeHashers(), codec: zstdCodec }) };
}

/** `ERR_STORAGE_READ` for a directory that holds no blobs at all: most likely they lie elsewhere. */
export function assertHasBlobs(storage: string, flag: string): void {
  if (existsSync(join(storage, 'blobs'))) return;
  throw new CacheError(
    'ERR_STORAGE_READ',
    `${storage} holds no blobs, though the replica knows of some; say where they lie with ${flag} DIR`,
  );
}

async function lockDirectory(path: string, clock: Pick<Clock, 'sleep'>): Promise<DirectoryLock> {
  let lock: DirectoryLock | undefined;
  try {
    await mkdir(path, { recursive: true });
    lock = new DirectoryLock(join(path, LOCK));
    await lock.join(() => clearTemporary(join(path, 'tmp')), clock);
    return lock;
  } catch (error) {
    lock?.close();
    throw writeError(path, error);
  }
}

/** Only what bears a name of ours: the directory may hold other things, too. */
async function clearTemporary(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw readError(folder, error);
  }
  for (const name of names) if (UUID.test(name)) await rm(join(folder, name), { force: true });
}
