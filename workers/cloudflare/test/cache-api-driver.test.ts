import { CacheApiDriver } from '@_all_docs/worker-cloudflare';
import { storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { cannotDecode } from './_traits.ts';

let count = 0;

storageDriverContract({
  name: 'CacheApiDriver',
  create: async () => {
    count += 1;
    return new CacheApiDriver(await caches.open(`contract-${count}`));
  },
  traits: {
    cannotDecode,
    unlisted: { reason: 'the Cache API cannot list' },
    lastWriteWins: { reason: 'the Cache API has no compare-and-set' },
  },
});
