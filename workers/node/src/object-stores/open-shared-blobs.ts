import type { OrderedStore } from '@_all_docs/cache';
import { BLOB_PREFIX, Hash, Store } from '@_all_docs/content';
import type { Clock } from '@_all_docs/http';
import { createLeaseFlight, createSingleFlight, type SharedTarballs, type SingleFlight } from '@_all_docs/registry';
import type { Logger } from '@_all_docs/worker';
import { randomUUID } from 'node:crypto';
import { createNodeHashers } from '../blake3.js';
import { nowAndThen } from '../now-and-then.js';
import { zstdCodec } from '../zstd-codec.js';
import { BlobCollector } from './blob-collector.js';
import { BlobReferences } from './blob-references.js';
import { BucketBlobBackend } from './bucket-blob-backend.js';
import { LeaseObjects } from './lease-objects.js';
import { openBucket } from './open-bucket.js';
import { SharedBlobBackend, SharedIntegrities } from './shared-blobs.js';

export interface SharedBlobsOptions {
  /** Rows of this node alone; they know its name from one start to the next. */
  ordered: OrderedStore;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  random: () => number;
  logger?: Logger | undefined;
  /** How long a store in trouble is asked again; as for the bucket unless told. */
  patienceMs?: number | undefined;
  /** Whether this process says that the node is alive, and collects; one of several does. */
  duties?: boolean | undefined;
  /** How a flight is shared that has nothing to do with blobs; within this process unless told. */
  flight?: SingleFlight | undefined;
}

/** Blobs in a bucket that many servers share. */
export interface SharedBlobs {
  store: Store;
  tarballs: SharedTarballs;
  /** One download of a tarball for all servers on the bucket. */
  flight: SingleFlight;
  close(): Promise<void>;
}

const NODE_ROW = 'v1:node';
const RENEW_MS = 3600_000;
const FIRST_COLLECTION_MS = 10 * 60_000;
const COLLECT_MS = 24 * 3600_000;
/** Whoever holds a blob writes down why within this time. */
const TIDY_GRACE_MS = 3600_000;
/** How often the others look whether a download has ended. */
const POLL_MS = 200;

/** Opens the bucket at that URL for one of the servers that share it. Errors as with {@link openBucket}. */
export async function openSharedBlobs(url: string, options: SharedBlobsOptions): Promise<SharedBlobs> {
  const { ordered, clock, random, env, patienceMs, logger, duties = true } = options;
  const bucket = await openBucket(url, { clock, random, env, patienceMs });
  const node = await nodeOf(ordered);
  const references = new BlobReferences({ bucket, node, clock });
  // Before anything is referred to: references of unknown nodes count for nothing.
  await references.renew();
  const inner = new BucketBlobBackend(bucket, clock);
  const backend = new SharedBlobBackend(inner, references);
  const owner = `${node} ${process.pid}`;
  const leased = createLeaseFlight({ ordered: new LeaseObjects(bucket), clock, owner, pollMs: POLL_MS });
  const local = options.flight ?? createSingleFlight();
  const collector = new BlobCollector({ bucket, owner, clock });
  const collect = async () => {
    await references.tidy(clock.now() - TIDY_GRACE_MS, (path) => isKnown(ordered, path));
    await collector.run();
  };
  const stops = !duties
    ? []
    : [
        nowAndThen(() => references.renew(), {
          ...{ env: { clock, logger }, firstMs: RENEW_MS, everyMs: RENEW_MS },
          trouble: 'the node could not be renewed',
        }),
        nowAndThen(collect, {
          ...{ env: { clock, logger }, firstMs: FIRST_COLLECTION_MS, everyMs: COLLECT_MS },
          trouble: 'blobs could not be collected',
        }),
      ];
  return {
    store: new Store({ backend, hashers: createNodeHashers(), codec: zstdCodec }),
    tarballs: new SharedIntegrities({ bucket, backend: inner, references }),
    // Documents are each node's own, so that sharing their flights would only make the others wait.
    flight: (key, work) => (key.startsWith('tarball:') ? leased(key, work) : local(key, work)),
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await bucket.close();
    },
  };
}

/** Whether a row of this node's knows the blob of that path. */
async function isKnown(ordered: OrderedStore, path: string): Promise<boolean> {
  const [, algorithm, hex] = /^blobs\/(sha256\/)?[0-9a-f]{2}\/([0-9a-f]{64})/.exec(path) ?? [];
  if (hex === undefined) return true;
  return (await ordered.get(BLOB_PREFIX + new Hash(hex, algorithm ? 'sha256' : 'blake3').id)) !== undefined;
}

/** This node's name: drawn once for each replica's directory. */
async function nodeOf(ordered: OrderedStore): Promise<string> {
  for (;;) {
    const known = await ordered.get(NODE_ROW);
    if (known !== undefined) return known;
    await ordered.commit([{ key: NODE_ROW, value: randomUUID() }], [{ key: NODE_ROW, value: undefined }]);
  }
}
