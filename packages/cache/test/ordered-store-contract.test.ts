import { MemoryOrderedStore } from '@_all_docs/cache';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';

orderedStoreContract({ name: 'MemoryOrderedStore', create: () => new MemoryOrderedStore() });
