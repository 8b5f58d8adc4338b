import { R2StorageDriver } from '@_all_docs/worker-cloudflare';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { spares } from './_spare.ts';
import { cannotDecode } from './_traits.ts';

const next = spares<R2Bucket>('R2');
const buckets = new WeakMap<object, R2Bucket>();
const open = (bucket: R2Bucket) => {
  const driver = new R2StorageDriver(bucket);
  buckets.set(driver, bucket);
  return driver;
};

storageDriverContract({
  name: 'R2StorageDriver',
  create: () => open(next()),
  reopen: (closed) => open(buckets.get(closed) as R2Bucket),
  traits: { cannotDecode },
});
