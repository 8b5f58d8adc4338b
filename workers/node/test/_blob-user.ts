/** Opens an environment and says whether native hashing is loaded and blobs exist, before and after the first blob. */
import { createEnv } from '@_all_docs/worker-node';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const [cache = '', registry = ''] = process.argv.slice(2);
const state = () => {
  const { sharedObjects } = process.report.getReport() as { sharedObjects: string[] };
  return [sharedObjects.some((file) => file.includes('blake')), existsSync(join(cache, 'blobs'))];
};
const env = await createEnv({ cache, registry, origin: registry });
const before = state();
async function* source() {
  yield new TextEncoder().encode('content');
}
await env.blobs.put(source());
console.log(JSON.stringify({ before, after: state() }));
await env.close();
