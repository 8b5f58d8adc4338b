/** The peer that npm itself is: make-fetch-happen with `cachePath`, every body read to its end. `node … URL CACHE NAMES_FILE CONCURRENCY`. */
import { readFileSync } from 'node:fs';
import fetch from 'make-fetch-happen';
import PQueue from 'p-queue';

const [url = '', cachePath = '', namesFile = '', concurrency = '10'] = process.argv.slice(2);
const queue = new PQueue({ concurrency: Number(concurrency) });
const headers = { accept: 'application/json' };

for (const name of readFileSync(namesFile, 'utf8').trimEnd().split('\n')) {
  await queue.onSizeLessThan(Number(concurrency));
  void queue.add(async () => {
    const response = await fetch(`${url}/${encodeURIComponent(name).replace(/^%40/, '@')}`, {
      cachePath,
      headers,
      maxSockets: Number(concurrency),
      retry: { retries: 5 },
    });
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    await response.buffer();
  });
}
await queue.onIdle();
