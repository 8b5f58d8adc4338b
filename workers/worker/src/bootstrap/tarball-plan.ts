import { createStorageDriver, decodeCacheKey } from '@_all_docs/cache';
import { documentPrefix, PackumentClient, type PackumentForm } from '@_all_docs/packument';
import { readDists } from '@_all_docs/registry';
import type { Env } from '../interfaces.js';
import type { Selection } from './selection.js';

/** How many tarballs would be kept. Held documents tell; nothing is asked. Their bytes are known to nobody before they are fetched. */
export interface PlannedTarballs {
  /** `undefined` when too few documents are held to go by. */
  count: number | undefined;
  /** `selection`: its versions are named; `held documents`: counted in all of them; else their mean. */
  from: 'selection' | 'held documents' | 'the mean of held documents' | 'unknown';
}

/** Documents of a list of names that are read: a plan should be there at once. */
const MOST = 5_000;
/** Documents that are read for a mean, and how many of them mean something. */
const SAMPLE = 500;
const LEAST = 100;

export async function planTarballs(
  selection: Selection,
  packages: number,
  form: PackumentForm,
  env: Env,
): Promise<PlannedTarballs> {
  if (selection.kind === 'names' && selection.versions) {
    return { count: Array.from(selection.versions.values(), ({ length }) => length).reduce(sum, 0), from: 'selection' };
  }
  const names = selection.kind === 'names' ? selection.names.slice(0, MOST) : await someHeld(form, env);
  const counted = await countIn(names, new PackumentClient({ env, form }), env);
  if (selection.kind === 'names' && counted.documents === packages)
    return { count: counted.tarballs, from: 'held documents' };
  if (counted.documents < LEAST) return { count: undefined, from: 'unknown' };
  const mean = counted.tarballs / counted.documents;
  return { count: Math.round(mean * packages), from: 'the mean of held documents' };
}

async function countIn(names: Iterable<string>, packuments: PackumentClient, env: Env) {
  const counted = { documents: 0, tarballs: 0 };
  for (const name of names) {
    const entry = await packuments.held(name);
    if (!entry) continue;
    counted.documents += 1;
    counted.tarballs += (await readDists(name, entry, env.codec)).size;
  }
  return counted;
}

/** Names of the first documents that are held. */
async function someHeld(form: PackumentForm, env: Env): Promise<string[]> {
  const storage = await createStorageDriver(env);
  const prefix = documentPrefix(form, env.registry);
  const names: string[] = [];
  for await (const key of storage.list(prefix, { limit: SAMPLE })) {
    const decoded = decodeCacheKey(key);
    if ('packageName' in decoded) names.push(decoded.packageName);
  }
  return names;
}

function sum(a: number, b: number): number {
  return a + b;
}
