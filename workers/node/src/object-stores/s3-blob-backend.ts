import { BucketBlobBackend } from './bucket-blob-backend.js';
import { S3Bucket, type S3BucketOptions } from './s3-bucket.js';

/** Blobs in S3, or in any server that speaks its protocol. */
export class S3BlobBackend extends BucketBlobBackend {
  constructor(options: S3BucketOptions) {
    super(new S3Bucket(options), options.clock);
  }
}
