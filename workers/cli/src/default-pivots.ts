import { encodeOrigin } from '@_all_docs/cache';
import { fileURLToPath } from 'node:url';
import { readPivots } from './selection/pivot-file.js';

/** The build copies it here from the repository's `pivots/`. */
const FILE = new URL('../pivots/npm.json', import.meta.url);

/** Where to cut the first pass over an origin: a modelled set for the public npm registry, `undefined` for all others. */
export async function defaultPivots(origin: string): Promise<string[] | undefined> {
  return encodeOrigin(origin) === 'npm' ? readDefaultPivots() : undefined;
}

/** The set for the public npm registry. */
export function readDefaultPivots(): Promise<string[]> {
  return readPivots(fileURLToPath(FILE));
}
