import { CacheError } from './errors.js';
import { hex, unhex } from './hex.js';
import { decodeOrigin, encodeOrigin } from './origin.js';

const VERSION = 'v1';

/** A key of the `v1` scheme, taken apart. `null` ends mean "from the first" and "past the last". */
export type DecodedKey =
  | { version: 'v1'; type: 'partition'; origin: string; startKey: string | null; endKey: string | null }
  | { version: 'v1'; type: 'packument' | 'abbreviated'; origin: string; packageName: string };

/** `v1:partition:{origin}:{hex(startKey)}:{hex(endKey)}` for the range `[startKey, endKey)`. */
export function createPartitionKey(startKey: string | null, endKey: string | null, origin = 'npm'): string {
  return `${createPartitionPrefix(origin)}${hex(startKey)}:${hex(endKey)}`;
}

/** What all partition keys of one origin begin with. */
export function createPartitionPrefix(origin = 'npm'): string {
  return `${VERSION}:partition:${encodeOrigin(origin)}:`;
}

/** `v1:packument:{origin}:{hex(name)}`: the full document of a package. */
export function createPackumentKey(packageName: string, origin = 'npm'): string {
  return `${createPackumentPrefix('packument', origin)}${nameHex(packageName)}`;
}

/** `v1:abbreviated:{origin}:{hex(name)}`: the abbreviated document of a package, where that is what the origin was asked for. */
export function createAbbreviatedKey(packageName: string, origin = 'npm'): string {
  return `${createPackumentPrefix('abbreviated', origin)}${nameHex(packageName)}`;
}

/** What all document keys of one form and origin begin with. */
export function createPackumentPrefix(type: 'packument' | 'abbreviated', origin = 'npm'): string {
  return packumentPrefix(type, encodeOrigin(origin));
}

/** {@link createPackumentPrefix} of an origin that `encodeOrigin` has spelled already: that takes long where nothing is compiled. */
export function packumentPrefix(type: 'packument' | 'abbreviated', encodedOrigin: string): string {
  return `${VERSION}:${type}:${encodedOrigin}:`;
}

/** Takes a key apart. `ERR_BAD_KEY` for anything that the functions above cannot have made. */
export function decodeCacheKey(key: string): DecodedKey {
  const [version, type, origin, ...parts] = String(key).split(':');
  if (version === VERSION && origin !== undefined) {
    const [first, second] = parts;
    if (type === 'partition' && first !== undefined && second !== undefined && parts.length === 2) {
      return { version, type, origin: decodeOrigin(origin), startKey: unhex(first), endKey: unhex(second) };
    }
    if ((type === 'packument' || type === 'abbreviated') && first && parts.length === 1) {
      return { version, type, origin: decodeOrigin(origin), packageName: unhex(first) as string };
    }
  }
  throw new CacheError('ERR_BAD_KEY', `not a key of this cache: ${JSON.stringify(String(key).slice(0, 200))}`);
}

function nameHex(packageName: string): string {
  if (typeof packageName !== 'string') {
    throw new CacheError(
      'ERR_BAD_KEY',
      `a package name must be a string, got ${packageName === null ? 'null' : typeof packageName}`,
    );
  }
  return hex(packageName);
}
