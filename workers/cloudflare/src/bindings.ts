import type { ReplicaObject } from './replica-object.js';
import type { WorkQueueObject } from './work-queue-object.js';

/** What `wrangler.jsonc` binds. Each is optional: what needs one says so when it is missing. */
export interface Bindings {
  /** Documents and listings. */
  PACKUMENTS?: KVNamespace;
  /** Tarballs, and values too large for KV. */
  BLOBS?: R2Bucket;
  /** Rows for analysis: names, versions. */
  INDEX?: D1Database;
  /** The database behind KV, in the worker that has one. */
  HYPERDRIVE?: Hyperdrive;
  /** The work queue. */
  WORK_QUEUE?: DurableObjectNamespace<WorkQueueObject>;
  /** Cursors, checkpoints, leases, removals. */
  REPLICA?: DurableObjectNamespace<ReplicaObject>;
  /** The other work queue. */
  WORK?: Queue;
  /** The replication host. */
  ORIGIN?: string;
  /** The registry. */
  REGISTRY?: string;
  /** Where clients reach the worker, for our own tarball URLs; the request's Host unless told. */
  PUBLIC_URL?: string;
  /** `auto`, `self` or `origin`. */
  TARBALL_HOST?: string;
  /** How old a document may be before it is compared with the registry's; 300 unless told. */
  MAX_AGE_SECONDS?: string;
  /** Hosts besides the registry's own that tarballs may be fetched from. */
  ALLOWED_HOSTS?: string;
  /** `off`: the feed is not followed. */
  FOLLOW?: string;
  /** What `POST /work` and `POST /enqueue` need; a secret. */
  WORK_SECRET?: string;
}

/** Whether the feed is to be followed: unless `FOLLOW` says `off`. */
export function followed({ FOLLOW }: Pick<Bindings, 'FOLLOW'>): boolean {
  return FOLLOW !== 'off';
}
