/** @module Sends a replica to Cloudflare, from wherever it is: KV by its REST API, R2, and the worker's listing. */

export { type PushPrice, priceOf } from './push/price.js';
export {
  type PushEnv,
  type PushEvent,
  type PushKind,
  type PushOptions,
  type PushResult,
  pushReplica,
} from './push/push.js';
export type { PushBucket, SyncCounts } from './push/sync-keys.js';
