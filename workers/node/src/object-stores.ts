/** @module Object stores: blobs in S3 and Google Cloud Storage. */

export { BlobCollector, type BlobCollectorOptions, type Collected } from './object-stores/blob-collector.js';
export { BlobReferences } from './object-stores/blob-references.js';
export {
  type Bucket,
  bytesOf,
  type HeldObject,
  type ListedObject,
  type ObjectStat,
  type PutOptions,
  readObject,
  type StoredObject,
} from './object-stores/bucket.js';
export { BucketBlobBackend } from './object-stores/bucket-blob-backend.js';
export { BucketOrderedStore, type BucketOrderedStoreOptions } from './object-stores/bucket-ordered-store.js';
export { GCSBlobBackend } from './object-stores/gcs-blob-backend.js';
export { GCSBucket, type GCSBucketOptions } from './object-stores/gcs-bucket.js';
export { LeaseObjects } from './object-stores/lease-objects.js';
export { type BucketAddress, type OpenBucketOptions, openBucket, parseBucketUrl } from './object-stores/open-bucket.js';
export { openSharedBlobs, type SharedBlobs, type SharedBlobsOptions } from './object-stores/open-shared-blobs.js';
export { S3BlobBackend } from './object-stores/s3-blob-backend.js';
export { S3Bucket, type S3BucketOptions } from './object-stores/s3-bucket.js';
export { readS3Settings, type S3Credentials, type S3Settings } from './object-stores/s3-credentials.js';
export { SharedBlobBackend, SharedIntegrities } from './object-stores/shared-blobs.js';
