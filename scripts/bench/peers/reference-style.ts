/** The reference's way: ten at once, global fetch, `response.json()`, and the JSON written into cacache. */
import cacache from 'cacache';
import { cache, forEachName, pathOf, url } from './_args.ts';

await forEachName(async (name) => {
  const response = await fetch(url + pathOf(name), { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  await cacache.put(cache, `packument:${name}`, JSON.stringify(await response.json()));
});
