import { MemoryBlobBackend } from '@_all_docs/content';
import { blobBackendContract } from '../../../test/contract/blob-backend.ts';

blobBackendContract({ name: 'MemoryBlobBackend', create: () => new MemoryBlobBackend() });
