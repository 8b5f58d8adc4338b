import type { StorageDriver } from './driver.js';
import { CacheError } from './errors.js';

/** The part of an environment that holds the storage: a driver, or a function that makes one. */
export interface StorageEnv {
  storage?: StorageDriver | (() => StorageDriver | Promise<StorageDriver>) | undefined;
}

/**
 * The environment's storage driver. It looks nowhere else: the entry file of each runtime decides what `env.storage` is.
 * `ERR_NO_STORAGE` when it forgot.
 */
export async function createStorageDriver(env: StorageEnv): Promise<StorageDriver> {
  const storage = typeof env?.storage === 'function' ? await env.storage() : env?.storage;
  if (!(storage instanceof Object) || typeof storage.read !== 'function') {
    throw new CacheError(
      'ERR_NO_STORAGE',
      'the environment has no storage driver; make it with createEnv of your runtime, or set env.storage',
    );
  }
  return storage;
}
