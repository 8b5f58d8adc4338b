import { CacheError, type OrderedStore, type RowChange, type RowExpectation } from '@_all_docs/cache';
import { hash } from 'node:crypto';
import { type Bucket, readObject } from './bucket.js';

/** Leases lie below. */
export const LEASES = 'leases/';

/**
 * Single rows that are compared and set, each an object of its own: leases of all who share a bucket. A commit changes
 * one row and names what it must have been; that is all that an object store can promise.
 */
export class LeaseObjects implements Pick<OrderedStore, 'get' | 'commit'> {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#read(key))?.value;
  }

  async commit(changes: readonly RowChange[], expected: readonly RowExpectation[] = []): Promise<boolean> {
    const [change] = changes;
    if (!change || changes.length !== 1 || expected.length !== 1 || expected[0]?.key !== change.key) {
      throw new CacheError('ERR_STORAGE_WRITE', 'a commit of leases changes one row, and says what it was');
    }
    const { key, value } = change;
    const held = await this.#read(key);
    if (held?.value !== expected[0].value) return false;
    if (value === undefined) return held === undefined || this.#bucket.delete(keyOf(key), { version: held.version });
    const only = held ? { version: held.version } : 'absent';
    if (await this.#bucket.put(keyOf(key), Buffer.from(value), { only })) return true;
    // The answer to a write that happened may have been lost: then the row says so, for each owner writes values of his own.
    return (await this.get(key)) === value;
  }

  async #read(key: string): Promise<{ value: string; version: string } | undefined> {
    const object = await readObject(this.#bucket, keyOf(key));
    return object && { value: Buffer.from(object.bytes).toString(), version: object.version };
  }
}

function keyOf(key: string): string {
  return LEASES + hash('sha256', key, 'hex');
}
