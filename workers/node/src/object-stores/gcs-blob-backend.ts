import { BucketBlobBackend } from './bucket-blob-backend.js';
import { GCSBucket, type GCSBucketOptions } from './gcs-bucket.js';

/** Blobs in Google Cloud Storage. */
export class GCSBlobBackend extends BucketBlobBackend {
  constructor(options: GCSBucketOptions) {
    super(new GCSBucket(options), options.clock);
  }
}
