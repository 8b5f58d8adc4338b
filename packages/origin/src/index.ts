/** @module A replica as the origin of other replicas, in npm's protocol and in a shorter one of its own. */

export type { BulkRequest, HeldDocument, ReceivedDocument } from './bulk-client.js';
export type { Change, ChangeSource } from './change-source.js';
export { OriginError, type OriginErrorCode } from './errors.js';
export {
  LISTING_PREFIX,
  type PublishedListing,
  type PublishedPart,
  publishListing,
  readListing,
} from './published-listing.js';
export { ReplicaClient, type ReplicaClientEnv } from './replica-client.js';
export type { ReplicaIndex } from './replica-index.js';
export { ReplicaOrigin, type ReplicaOriginEnv, type ReplicaOriginOptions } from './replica-origin.js';
