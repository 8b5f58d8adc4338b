/** Opens a replica's directory, writes one key and prints the code of whatever went wrong, or `ok`. With `stay`, it keeps the directory open until its input ends. */
import { NodeStorageDriver } from '@_all_docs/worker-node';

const [directory = '', stay] = process.argv.slice(2);
const driver = new NodeStorageDriver(directory);
try {
  await driver.set('opener', process.pid);
  console.log('ok');
  if (stay) {
    for await (const _ of process.stdin);
  }
} catch (error) {
  console.log((error as { code?: string }).code ?? String(error));
} finally {
  await driver.close();
}
