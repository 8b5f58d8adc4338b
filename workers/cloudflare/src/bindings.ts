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
}
