import type { Store } from '@_all_docs/content';
import type { Env, Logger, WorkQueue } from '@_all_docs/worker';
import type { StoreKind } from './cache-directory.js';
import { systemClock } from './clock.js';
import type { DirectoryDriver } from './directory-driver.js';
import type { FileSystem } from './file-system.js';
import { type Network, type NetworkOptions, openNetwork, resolveOrigins } from './network.js';
import { blobsAt } from './open-blobs.js';
import { openStorage } from './open-storage.js';
import type { Durability } from './sqlite-file.js';

export interface CreateEnvOptions extends NetworkOptions {
  /** Directory of the replica. */
  cache: string;
  queue?: WorkQueue | undefined;
  logger?: Logger | undefined;
  fs?: FileSystem;
  /** How bodies are kept in a new directory: `cacache` (the default; npm's own library reads it) or `sqlite` (one file, for large replicas). */
  store?: StoreKind | undefined;
  /** What a resolved write survives; `process` unless told. */
  durability?: Durability | undefined;
}

/** An environment on Node.js. `close` it to let go of files and connections. */
export interface NodeEnv extends Omit<Env, keyof Network | 'storage' | 'blobs'>, Network {
  storage: DirectoryDriver;
  /** Blobs in `blobs/` of the replica's directory. Opens nothing, and loads no native code, before its first use. */
  blobs: Store;
}

/** Binds the core to Node.js: cacache and SQLite, undici, the machine's clock. Opens the cache directory, so its trouble shows here. */
export async function createEnv(options: CreateEnvOptions): Promise<NodeEnv> {
  const { clock = systemClock, fs, store, durability } = options;
  const origins = await resolveOrigins(options);
  const storage = await openStorage(options.cache, { kind: store, clock, fs, durability });
  const network = openNetwork(origins, options, storage.ordered);
  return {
    ...network,
    storage,
    ordered: storage.ordered,
    blobs: blobsAt(options.cache, durability).store,
    queue: options.queue,
    logger: options.logger,
    async close() {
      await network.close();
      await storage.close();
    },
  };
}
