import { MemoryOrderedStore } from '@_all_docs/cache';
import { changeLogContract } from '../../../test/contract/change-log.ts';

changeLogContract({ name: 'MemoryOrderedStore', create: () => new MemoryOrderedStore() });
