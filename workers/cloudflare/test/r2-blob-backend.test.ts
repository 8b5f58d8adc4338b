import { R2BlobBackend } from '@_all_docs/worker-cloudflare';
import { blobBackendContract } from '../../../test/contract/blob-backend.ts';
import { spares } from './_spare.ts';

const next = spares<R2Bucket>('R2');
const buckets = new WeakMap<object, R2Bucket>();
const open = (bucket: R2Bucket) => {
  const backend = new R2BlobBackend(bucket);
  buckets.set(backend, bucket);
  return backend;
};

blobBackendContract({
  name: 'R2BlobBackend',
  create: () => open(next()),
  reopen: (backend) => open(buckets.get(backend) as R2Bucket),
});
