/** Writes 200 keys, half of them the same as every other writer's, and prints what it wrote last under each. */
import { NodeStorageDriver } from '@_all_docs/worker-node';

const [directory = '', name = ''] = process.argv.slice(2);
const driver = new NodeStorageDriver(directory);
for (let i = 0; i < 200; i++) {
  const key = i % 2 === 0 ? `shared:${i}` : `own:${name}:${i}`;
  const body = new TextEncoder().encode(`${name} `.repeat(1 + (i % 50)));
  await driver.write(key, { body, metadata: { storedAt: i, encoding: 'identity', size: body.length, etag: name } });
  const back = await driver.read(key);
  if (!back || !new TextDecoder().decode(back.body).startsWith(`${back.metadata.etag} `))
    throw new Error(`torn: ${key}`);
}
if (driver.missingBodies > 0) throw new Error(`${driver.missingBodies} bodies were missing`);
await driver.close();
console.log('done');
