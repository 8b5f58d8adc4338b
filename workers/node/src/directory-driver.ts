import {
  type EntryEncoding,
  type OrderedStore,
  type RowChange,
  type RowExpectation,
  type RowRange,
  StorageDriver,
} from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { type CacheDirectory, openCacheDirectory, type StoreKind } from './cache-directory.js';
import { systemClock } from './clock.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import type { Durability } from './sqlite-file.js';
import { zlibCodec } from './zlib-codec.js';

export interface NodeStorageOptions {
  fs?: FileSystem | undefined;
  clock?: Clock | undefined;
  /** What a resolved write survives; `process` unless told. */
  durability?: Durability | undefined;
  /** The directory, where it is open already; the driver closes it. */
  directory?: CacheDirectory | undefined;
}

/** A driver whose entries lie in a replica's directory, opened at the first call; the ordered store is the directory's. */
export abstract class DirectoryDriver extends StorageDriver {
  readonly cachePath: string;
  /** How this directory keeps bodies. */
  readonly kind: StoreKind;
  override readonly ordered: OrderedStore;
  protected override readonly clock: Clock;
  readonly #options: NodeStorageOptions;
  #opening: Promise<CacheDirectory> | undefined;

  protected constructor(kind: StoreKind, cachePath: string, options: NodeStorageOptions) {
    super();
    this.cachePath = cachePath;
    this.clock = options.clock ?? systemClock;
    this.kind = kind;
    this.#options = options;
    if (options.directory) this.#opening = Promise.resolve(options.directory);
    this.ordered = lazyStore(() => this.openDirectory().then(({ ordered }) => ordered));
  }

  /** Opens the directory now instead of at the first call, so that trouble shows before work begins. */
  openDirectory(): Promise<CacheDirectory> {
    const { fs = nodeFileSystem, durability } = this.#options;
    this.#opening ??= openCacheDirectory(this.cachePath, { fs, clock: this.clock, kind: this.kind, durability });
    return this.#opening;
  }

  override async close(): Promise<void> {
    const directory = await this.#opening?.catch(() => undefined);
    directory?.close();
    this.#opening = undefined;
  }

  protected override async decode(body: Uint8Array, encoding: EntryEncoding): Promise<Uint8Array> {
    return zlibCodec.decode(body, encoding);
  }
}

/** The same store, opened at the first call. */
function lazyStore(open: () => Promise<OrderedStore>): OrderedStore {
  return {
    get: async (key: string) => (await open()).get(key),
    async *list(range?: RowRange) {
      yield* (await open()).list(range);
    },
    commit: async (changes: readonly RowChange[], expect?: readonly RowExpectation[]) =>
      (await open()).commit(changes, expect),
  };
}
