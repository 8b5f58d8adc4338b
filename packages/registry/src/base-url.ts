import type { HeaderLookup } from './conditional.js';
import { RegistryError } from './errors.js';
import type { Settings } from './settings.js';

/** RFC 3986 host with an optional port, as a Host header may have it; underscores are common inside of container networks. */
const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/i;
const LONGEST_HOST = 261;

/** The base of our own URLs from what a deployment says: where the server is reached, and the path of npm's routes below it. `ERR_BAD_OPTION`. */
export function configuredBase(publicUrl: string, prefix: string): string {
  let url: URL;
  try {
    url = new URL(publicUrl);
  } catch (cause) {
    throw bad(publicUrl, cause);
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) throw bad(publicUrl);
  const root = `${url.protocol}//${url.host}${url.pathname.replace(/\/*$/, '/')}`;
  return root.endsWith(prefix) && prefix !== '/' ? root : `${root.slice(0, -1)}${prefix}`;
}

/** The base of our own URLs from a Host header; `undefined` for anything that is no host. */
export function hostBase(host: string | undefined, scheme: string, prefix: string): string | undefined {
  if (host === undefined || host.length > LONGEST_HOST) return undefined;
  const match = HOST.exec(host);
  if (!match || (match[1] !== undefined && (Number(match[1]) === 0 || Number(match[1]) > 65_535))) return undefined;
  return `${scheme}://${host.toLowerCase()}${prefix}`;
}

/** What our own tarball URLs begin with for a client; empty where they stay as written, `undefined` where its Host is none. */
export function baseFor(
  headers: HeaderLookup,
  { tarballHost, base, scheme, prefix }: Pick<Settings, 'tarballHost' | 'base' | 'scheme' | 'prefix'>,
  fromHost = (host: string): string | undefined => hostBase(host, scheme, prefix),
): string | undefined {
  if (tarballHost === 'origin') return '';
  if (tarballHost === 'auto' && headers('user-agent')?.startsWith('npm/')) return '';
  return base ?? fromHost(headers('host') ?? '');
}

function bad(publicUrl: string, cause?: unknown): RegistryError {
  return new RegistryError(
    'ERR_BAD_OPTION',
    `not a public URL: ${publicUrl}; give an http or https URL without user, query and fragment, such as https://npm.example.test/`,
    { cause },
  );
}
