import { CacheError } from './errors.js';

/**
 * A registry's URL in the one spelling that keys and requests use: scheme and host in lower case, no default port,
 * no credentials, no fragment, no single trailing slash. `npm` stays `npm`. `ERR_BAD_ORIGIN` for anything but http(s).
 */
export function normalizeOrigin(origin: string): string {
  return origin === 'npm' ? origin : spell(parse(origin));
}

/**
 * The `{origin}` part of keys: `npm` for npm's own hosts, else the percent-encoded normalised URL.
 * Readable, free of `:`, and injective: two registries never share it.
 */
export function encodeOrigin(origin: string): string {
  if (origin === 'npm') return origin;
  const url = parse(origin);
  return isNpm(url) ? 'npm' : encodeURIComponent(spell(url));
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

function parse(origin: string): URL {
  let url: URL | undefined;
  let cause: unknown;
  try {
    url = new URL(origin);
  } catch (error) {
    cause = error;
  }
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new CacheError('ERR_BAD_ORIGIN', `not a registry URL: ${origin}; it must begin with https:// or http://`, {
    cause,
  });
}

function spell(url: URL): string {
  return `${url.protocol}//${url.host}${pathOf(url)}${url.search}`;
}

/** Without one slash at its end, and one only: `http://h/a//` names another path than `http://h/a/`. */
function pathOf({ pathname }: URL): string {
  return pathname.endsWith('/') && !pathname.endsWith('//') ? pathname.slice(0, -1) : pathname;
}

/** Whether a URL is that of the public npm registry or of its replication host, told by the host's labels. */
function isNpm(url: URL): boolean {
  if (!url.hostname.includes('.npmjs.')) return false;
  const [first, second, top, ...more] = url.hostname.split('.');
  const path = pathOf(url);
  return (
    (first === 'registry' || first === 'replicate') &&
    second === 'npmjs' &&
    (top === 'org' || top === 'com') &&
    more.length === 0 &&
    url.port === '' &&
    url.search === '' &&
    (path === '' || path === '/registry')
  );
}
