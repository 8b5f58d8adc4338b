import { PackumentError, parsePackageName } from '@_all_docs/packument/keys';
import { RegistryError } from './errors.js';
import { isPlain } from './plain.js';
import { isTarballFile } from './tarball-url.js';

/** What a request target asks for. Names, versions and files are decoded; `query` is as it came, without its mark. */
export type Route =
  | { kind: 'packument'; name: string }
  /** `wanted` is a version or a tag. */
  | { kind: 'version'; name: string; wanted: string }
  | { kind: 'tarball'; name: string; file: string }
  | { kind: 'dist-tags'; name: string }
  | { kind: 'attestations'; name: string; version: string }
  | { kind: 'search'; query: string }
  | { kind: 'keys' | 'advisories' }
  | { kind: 'root' | 'ping' | 'audits' | 'account' }
  /** An API path that nothing answers. */
  | { kind: 'unknown'; path: string };

/** No name, version or file that exists comes near these, however it is spelled. */
const LONGEST_TARGET = 4_096;
const LONGEST_NAME = 512;
const LONGEST_PLAIN = 201;

/**
 * Reads a raw request target (dots and percent escapes as they came; no URL library has touched it). Below `prefix` all
 * routes; at the root tarballs and attestations only: npm drops the prefix where it takes their path out of a document and
 * puts it on the configured registry's host.
 * `ERR_BAD_PATH` for what names nothing that can exist.
 */
export function parseRoute(target: string, prefix: string): Route {
  if (target.length > LONGEST_TARGET) throw bad(target, 'is too long');
  const fragment = target.indexOf('#');
  const asked = fragment === -1 ? target : target.slice(0, fragment);
  const mark = asked.indexOf('?');
  const path = mark === -1 ? asked : asked.slice(0, mark);
  const query = mark === -1 ? '' : asked.slice(mark + 1);
  if (path === prefix || `${path}/` === prefix) return { kind: 'root' };
  if (path.startsWith(prefix)) return below(path.slice(prefix.length), query);
  const route = path.startsWith('/') && path.length > 1 ? below(path.slice(1), query) : undefined;
  return route?.kind === 'tarball' || route?.kind === 'attestations' ? route : { kind: 'unknown', path };
}

function below(path: string, query: string): Route {
  // What nearly every request is for, told at once: a name of which nothing is encoded, and nothing else.
  if (path.length <= LONGEST_PLAIN && isPlain(path)) return { kind: 'packument', name: path };
  const raw = path.split('/');
  // `-` alone is a package, and `-/-/` can only be a tarball of it; everything else below `-/` is the API.
  if (raw[0] === '-' && raw.length > 1 && raw[1] !== '-') return api(path.slice(2), query);
  if (raw.length > 1 && raw.at(-1) === '') raw.pop();
  const parts = raw.map((segment) => decode(segment));
  let name = parts.shift() as string;
  // A scope's slash may be encoded, and then it is in the first part already.
  if (name.startsWith('@') && !name.includes('/') && parts.length > 0) name += `/${parts.shift()}`;
  checkName(name);
  const [first, second, ...more] = parts;
  if (first === undefined) return { kind: 'packument', name };
  if (first === '-' && second !== undefined && more.length === 0) {
    if (!isTarballFile(second)) throw bad(second, 'is not the file name of a tarball');
    return { kind: 'tarball', name, file: second };
  }
  if (second !== undefined) return { kind: 'unknown', path: `/${path}` };
  return { kind: 'version', name, wanted: checkVersion(first) };
}

function api(path: string, query: string): Route {
  switch (path) {
    case 'ping':
      return { kind: 'ping' };
    case 'v1/search':
      return { kind: 'search', query };
    case 'npm/v1/keys':
      return { kind: 'keys' };
    case 'npm/v1/security/advisories/bulk':
      return { kind: 'advisories' };
    case 'npm/v1/security/audits':
    case 'npm/v1/security/audits/quick':
      return { kind: 'audits' };
    case 'whoami':
    case 'npm/v1/user':
    case 'npm/v1/tokens':
      return { kind: 'account' };
  }
  const tags = /^package\/(.+)\/dist-tags$/.exec(path);
  if (tags) return { kind: 'dist-tags', name: checkName(decode(tags[1] as string)) };
  const attested = /^npm\/v1\/attestations\/(.+)$/.exec(path);
  if (attested) return { kind: 'attestations', ...nameAndVersion(decode(attested[1] as string)) };
  return { kind: 'unknown', path: `/-/${path}` };
}

function nameAndVersion(text: string): { name: string; version: string } {
  const at = text.lastIndexOf('@');
  if (at < 1) throw bad(text, 'is not of the form name@version');
  return { name: checkName(text.slice(0, at)), version: checkVersion(text.slice(at + 1)) };
}

function decode(segment: string): string {
  try {
    return segment.includes('%') ? decodeURIComponent(segment) : segment;
  } catch (cause) {
    throw bad(segment, 'has a broken percent escape', cause);
  }
}

function checkName(name: string): string {
  if (name.length > LONGEST_NAME) throw bad(name, 'is too long to be a package name');
  try {
    // A leading slash or an escape that is left would be read once more, as another name.
    if (!/^\/|%/.test(name) && parsePackageName(name) === name) return name;
  } catch (cause) {
    if (!(cause instanceof PackumentError)) throw cause;
  }
  throw bad(name, 'is not a package name');
}

function checkVersion(version: string): string {
  if (
    version === '' ||
    version === '.' ||
    version === '..' ||
    /[/\\%\p{Cc}]/u.test(version) ||
    !version.isWellFormed()
  ) {
    throw bad(version, 'is not a version or tag');
  }
  return version;
}

function bad(text: string, what: string, cause?: unknown): RegistryError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  return new RegistryError('ERR_BAD_PATH', `${shown} ${what}`, { cause });
}
