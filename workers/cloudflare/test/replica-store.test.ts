import { ReplicaStore } from '@_all_docs/worker-cloudflare';
import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';

const { REPLICA } = env;
const names = new WeakMap<object, string>();
let count = 0;
const open = (name: string) => {
  const store = new ReplicaStore(REPLICA.getByName(name));
  names.set(store, name);
  return store;
};

orderedStoreContract({
  name: 'ReplicaStore, which speaks to a DurableObjectOrderedStore,',
  slow: { reason: 'each is a request' },
  create: () => {
    count += 1;
    return open(`contract-${count}`);
  },
  reopen: async (store) => {
    const name = names.get(store) as string;
    await evictDurableObject(REPLICA.getByName(name));
    return open(name);
  },
});
