import { CloudflareStorageDriver } from '@_all_docs/worker-cloudflare';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { spares } from './_spare.ts';
import { cannotDecode } from './_traits.ts';

const next = spares<KVNamespace>('KV');
const namespaces = new WeakMap<object, KVNamespace>();
const open = (kv: KVNamespace) => {
  const driver = new CloudflareStorageDriver(kv);
  namespaces.set(driver, kv);
  return driver;
};

storageDriverContract({
  name: 'CloudflareStorageDriver',
  create: () => open(next()),
  reopen: (closed) => open(namespaces.get(closed) as KVNamespace),
  traits: {
    cannotDecode,
    maxValueBytes: { value: 25 * 1024 * 1024, reason: "that is KV's limit" },
    reserved: { value: ['.', '..'], reason: 'KV has another use for them' },
    lastWriteWins: { reason: 'KV has no compare-and-set' },
  },
});
