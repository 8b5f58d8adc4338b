import {
  CacheError,
  createPartitionKey,
  createStorageDriver,
  type StorageDriver,
  type StorageEnv,
} from '@_all_docs/cache';
import { type Codec, webCodec } from '@_all_docs/http';
import { type KeyRange, parsePage, type RowTable } from '@_all_docs/partition';
import { OriginError } from './errors.js';

export interface PartTable {
  table: RowTable;
  digest: string | undefined;
}

/** A table takes about two megabytes. */
const MOST_TABLES = 4;

/** Stored partitions as tables of rows; the few that were read last stay in memory while their bytes are the stored ones. */
export class PartTables {
  readonly #env: StorageEnv & { codec?: Codec | undefined };
  readonly #origin: string;
  readonly #recent = new Map<string, PartTable>();
  #storage: Promise<StorageDriver> | undefined;

  constructor(env: StorageEnv & { codec?: Codec | undefined }, origin: string) {
    this.#env = env;
    this.#origin = origin;
  }

  /** The rows of a partition as they are stored now. `ERR_LISTING_LOST` when they are gone or damaged. */
  async get({ startKey, endKey }: KeyRange): Promise<PartTable> {
    this.#storage ??= createStorageDriver(this.#env);
    const storage = await this.#storage;
    const key = createPartitionKey(startKey, endKey, this.#origin);
    const recent = this.#recent.get(key);
    this.#recent.delete(key);
    const found =
      recent && (await storage.head(key))?.digest === recent.digest ? recent : await this.#read(storage, key);
    if (!found) throw lost({ startKey, endKey });
    this.#recent.set(key, found);
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= MOST_TABLES) break;
      this.#recent.delete(oldest);
    }
    return found;
  }

  async #read(storage: StorageDriver, key: string): Promise<PartTable | undefined> {
    try {
      const entry = await storage.read(key);
      if (!entry) return undefined;
      const { encoding, digest } = entry.metadata;
      return { table: parsePage(await (this.#env.codec ?? webCodec).decode(entry.body, encoding)).rows, digest };
    } catch (error) {
      if (error instanceof CacheError && error.code === 'ERR_CORRUPT') return undefined;
      throw error;
    }
  }
}

export function lost({ startKey, endKey }: KeyRange): OriginError {
  return new OriginError(
    'ERR_LISTING_LOST',
    `the stored rows of [${startKey}-${endKey}) are gone; run bootstrap on this replica again`,
  );
}

/** The first row whose id is not before `key`, or past it where `past` is set. */
export function lowerBound(table: RowTable, key: Uint8Array, past = false): number {
  let low = 0;
  let high = table.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = table.compareId(middle, key);
    if (order < 0 || (past && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
