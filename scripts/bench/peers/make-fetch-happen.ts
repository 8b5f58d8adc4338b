/** What npm itself does: make-fetch-happen with `cachePath`, every body read to its end. */
import fetch from 'make-fetch-happen';
import { cache, forEachName, pathOf, url } from './_args.ts';

await forEachName(async (name, maxSockets) => {
  const response = await fetch(url + pathOf(name), {
    cachePath: cache,
    headers: { accept: 'application/json' },
    maxSockets,
    retry: { retries: 5 },
  });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  await response.buffer();
});
