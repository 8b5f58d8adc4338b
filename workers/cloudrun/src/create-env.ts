import { Store } from '@_all_docs/content';
import { createLeaseFlight, type SingleFlight } from '@_all_docs/registry';
import type { Env, Logger, WorkQueue } from '@_all_docs/worker';
import {
  createNodeHashers,
  type Network,
  type NetworkOptions,
  openNetwork,
  resolveOrigins,
  systemClock,
  zstdCodec,
} from '@_all_docs/worker-node';
import {
  type Bucket,
  BucketBlobBackend,
  BucketOrderedStore,
  LeaseObjects,
  openBucket,
} from '@_all_docs/worker-node/object-stores';
import { randomUUID } from 'node:crypto';
import { GCSStorageDriver } from './gcs-storage-driver.js';

export interface CreateEnvOptions extends NetworkOptions {
  /** Name of the bucket in which all is kept, possibly with a prefix: `bucket` or `bucket/prefix`. */
  bucket: string;
  /** How long the bucket in trouble is asked again, in milliseconds; 90 s unless told. */
  bucketPatienceMs?: number | undefined;
  queue?: WorkQueue | undefined;
  logger?: Logger | undefined;
}

/** An environment on Cloud Run: everything in one bucket, which all instances share. `close` it to let go of connections. */
export interface CloudRunEnv extends Omit<Env, keyof Network | 'storage' | 'blobs' | 'ordered'>, Network {
  storage: GCSStorageDriver;
  ordered: BucketOrderedStore;
  blobs: Store;
  bucket: Bucket;
  /** One fetch for all instances. */
  flight: SingleFlight;
}

/** How often instances that wait for another one's fetch look whether it has ended. */
const POLL_MS = 100;
/** Flights that ask the registry. */
const FETCHES = /^(?:document|resource|tarball):/;

/**
 * Binds the core to Google Cloud Storage and Node's network. Writes to no disk. What is wrong with the bucket shows here:
 * `ERR_NO_STORAGE`, `ERR_CACHE_UNWRITABLE`, `ERR_CACHE_FOREIGN`.
 */
export async function createEnv(options: CreateEnvOptions): Promise<CloudRunEnv> {
  const { clock = systemClock, random = Math.random, bucketPatienceMs } = options;
  const origins = await resolveOrigins(options);
  const settings = { env: process.env, clock, random, patienceMs: bucketPatienceMs };
  const hashers = createNodeHashers();
  // Now, and not with the first tarball: an image in which native code does not load would keep none, and serve on.
  const [bucket] = await Promise.all([
    openBucket(`gs://${options.bucket.replace(/^gs:\/\//, '')}`, settings),
    hashers.create(hashers.address),
  ]);
  const ordered = new BucketOrderedStore({ bucket, clock });
  const leased = createLeaseFlight({ ordered: new LeaseObjects(bucket), clock, owner: randomUUID(), pollMs: POLL_MS });
  const flight: SingleFlight = (key, work) =>
    leased(key, async () => {
      // Another instance may have written down the very moment before that it has it.
      if (FETCHES.test(key)) await ordered.refresh();
      return work();
    });
  const network = openNetwork(origins, options, ordered);
  return {
    ...network,
    bucket,
    ordered,
    storage: new GCSStorageDriver(options.bucket, { bucket, clock, ordered }),
    blobs: new Store({ backend: new BucketBlobBackend(bucket, clock), hashers, codec: zstdCodec }),
    flight,
    queue: options.queue,
    logger: options.logger,
    async close() {
      await network.close();
      await ordered.close();
      await bucket.close();
    },
  };
}
