import { CacheError } from './errors.js';

/**
 * A registry's URL in the one spelling that keys and requests use: scheme and host in lower case, no default port,
 * no credentials, no fragment, no single trailing slash. `npm` stays `npm`. `ERR_BAD_ORIGIN` for anything but http(s).
 */
export function normalizeOrigin(origin: string): string {
  if (origin === 'npm') return origin;
  let url: URL;
  try {
    url = new URL(origin);
  } catch (cause) {
    throw new CacheError('ERR_BAD_ORIGIN', `not a registry URL: ${origin}; it must begin with https:// or http://`, {
      cause,
    });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new CacheError('ERR_BAD_ORIGIN', `not a registry URL: ${origin}; it must begin with https:// or http://`);
  }
  // One slash only: `http://h/a//` names another path than `http://h/a/`.
  const { pathname } = url;
  const path = pathname.endsWith('/') && !pathname.endsWith('//') ? pathname.slice(0, -1) : pathname;
  return `${url.protocol}//${url.host}${path}${url.search}`;
}

/**
 * The `{origin}` part of keys: `npm` for npm's own hosts, else the percent-encoded normalised URL.
 * Readable, free of `:`, and injective: two registries never share it.
 */
export function encodeOrigin(origin: string): string {
  const normalized = normalizeOrigin(origin);
  return normalized === 'npm' || isNpm(normalized) ? 'npm' : encodeURIComponent(normalized);
}

/** The normalised URL that {@link encodeOrigin} was given, or `npm`. */
export function decodeOrigin(encoded: string): string {
  try {
    const origin = decodeURIComponent(encoded);
    if (encodeOrigin(origin) === encoded) return origin;
  } catch {
    // An undecodable or non-URL text is the same mistake as one in another spelling.
  }
  throw new CacheError('ERR_BAD_KEY', `not an origin as keys spell it: ${encoded.slice(0, 200)}`);
}

/** Whether a normalised URL is the public npm registry or its replication host, told by the host's labels. */
function isNpm(normalized: string): boolean {
  if (!normalized.includes('.npmjs.')) return false;
  const { hostname, port, pathname, search } = new URL(normalized);
  const [first, second, top, ...more] = hostname.split('.');
  return (
    (first === 'registry' || first === 'replicate') &&
    second === 'npmjs' &&
    (top === 'org' || top === 'com') &&
    more.length === 0 &&
    port === '' &&
    search === '' &&
    (pathname === '/' || pathname === '/registry')
  );
}
