/** @module Runs inside the engine: `GET /` lists the tests of the contracts, `GET /<number>` runs one of them. */
import '../../../workers/fastly/src/platform.ts';
import type { StorageDriver } from '@_all_docs/cache';
import type { BlobBackend } from '@_all_docs/content';
import type { KvStore } from '../../../workers/fastly/src/host.ts';
import { KvBlobBackend } from '../../../workers/fastly/src/kv-blob-backend.ts';
import { FastlyStorageDriver } from '../../../workers/fastly/src/kv-driver.ts';
import { openKvStore } from '../../../workers/fastly/src/stores.ts';
import { blobBackendContract } from '../../contract/blob-backend.ts';
import { storageDriverContract } from '../../contract/storage-driver.ts';
import './_setup.ts';
import { listTests, runTest } from './_runner.ts';

/** How many stores a test may ask for. */
const STORES = 4;

let nextStore = 0;
const stores = new WeakMap<object, KvStore>();
function made<Made extends object>(make: (store: KvStore) => Made, store: KvStore): Made {
  const it = make(store);
  stores.set(it, store);
  return it;
}
function harness<Made extends object>(make: (store: KvStore) => Made) {
  return {
    create: () => made(make, openKvStore(`store${nextStore++}`)),
    reopen: (before: Made) => made(make, stores.get(before) as KvStore),
  };
}

storageDriverContract({
  name: 'FastlyStorageDriver',
  ...harness<StorageDriver>((store) => new FastlyStorageDriver(store)),
  traits: {
    cannotDecode: { value: ['br', 'zstd'], reason: 'DecompressionStream knows neither' },
    maxValueBytes: { value: 25 * 1024 * 1024, reason: "that is KV's limit" },
    maxDepth: { value: 200, reason: 'the engine has 1 MB of stack' },
    lastWriteWins: { reason: 'KV tells JavaScript no generation to compare with' },
  },
});
blobBackendContract({ name: 'KvBlobBackend', ...harness<BlobBackend>((store) => new KvBlobBackend(store)) });

addEventListener('fetch', (event) => event.respondWith(answer(event.request.url)));

async function answer(url: string): Promise<Response> {
  const asked = new URL(url).pathname.slice(1);
  if (asked === '') return Response.json(listTests());
  nextStore = Number(asked) * STORES;
  return Response.json(await runTest(Number(asked)));
}
