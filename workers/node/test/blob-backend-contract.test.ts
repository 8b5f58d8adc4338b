import { FsBlobBackend } from '@_all_docs/worker-node';
import { blobBackendContract } from '../../../test/contract/blob-backend.ts';
import { temporaryDirectory } from './_directory.ts';

const roots = new Map<unknown, string>();
for (const durability of ['process', 'power'] as const) {
  const open = (root: string) => {
    const backend = new FsBlobBackend(root, { durability });
    roots.set(backend, root);
    return backend;
  };
  blobBackendContract({
    name: `FsBlobBackend that survives the end of the ${durability}`,
    create: async () => open(await temporaryDirectory()),
    reopen: (backend) => open(roots.get(backend) as string),
  });
}
