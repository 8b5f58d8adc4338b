import type { ListOptions, StorageDriver } from './driver.js';

/** JSON values by key over any {@link StorageDriver}. */
export class Cache {
  readonly driver: StorageDriver;

  constructor({ driver }: { driver: StorageDriver }) {
    this.driver = driver;
  }

  /** The value; `undefined` on a miss. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what it stored
  get<T = any>(key: string): Promise<T | undefined> {
    return this.driver.get<T>(key);
  }

  set(key: string, value: unknown): Promise<void> {
    return this.driver.set(key, value);
  }

  has(key: string): Promise<boolean> {
    return this.driver.has(key);
  }

  delete(key: string): Promise<void> {
    return this.driver.delete(key);
  }

  /** Keys that begin with `prefix`, in the order of their bytes. */
  list(prefix?: string, options?: ListOptions): AsyncIterable<string> {
    return this.driver.list(prefix, options);
  }
}
