import type { RequestKind } from './types.ts';

/** What a request target means. `path` is decoded; `key` (path and query, decoded) names it in fault rules. */
export interface Route {
  kind: RequestKind;
  path: string;
  key: string;
  query: URLSearchParams;
  /** For `packument`, `tarball`, and the `other`s that concern a package. */
  name?: string;
  /** The tarball's file name, the version or tag of a manifest, or the version that is attested. */
  rest?: string;
  /** Which of the `other` resources: nothing is a 404. */
  other?: 'ping' | 'keys' | 'attestations' | 'dist-tags' | 'manifest' | 'malformed';
}

/**
 * Reads the RAW target. No URL library touches it: those turn `/@x/..` into `/`, and `@x/..` is a package.
 */
export function parseTarget(target: string): Route {
  const mark = target.indexOf('?');
  const raw = mark === -1 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  const path = decode(raw);
  if (path === undefined) return { kind: 'other', path: raw, key: target, query, other: 'malformed' };
  const key = mark === -1 ? path : `${path}?${query.size ? [...query].map(([k, v]) => `${k}=${v}`).join('&') : ''}`;
  return { path, key, query, ...recognise(raw, path) };
}

function recognise(raw: string, path: string): Pick<Route, 'kind' | 'name' | 'rest' | 'other'> {
  if (path === '/' || path === '' || path === '/registry/') return { kind: 'root' };
  if (/^(\/registry)?\/_all_docs$/.test(path)) return { kind: 'allDocs' };
  if (/^(\/registry)?\/_changes$/.test(path)) return { kind: 'changes' };
  if (path.startsWith('/-/fake/')) return { kind: 'control' };
  if (path === '/-/ping') return { kind: 'other', other: 'ping' };
  if (path === '/-/npm/v1/keys') return { kind: 'other', other: 'keys' };
  const attested = /^\/-\/npm\/v1\/attestations\/(.+)@([^@/]+)$/.exec(path);
  if (attested)
    return { kind: 'other', other: 'attestations', name: attested[1] as string, rest: attested[2] as string };
  const tags = /^\/-\/package\/(.+)\/dist-tags$/.exec(path);
  if (tags) return { kind: 'other', other: 'dist-tags', name: tags[1] as string };
  // `/-/-/` can only be a tarball of the package `-`; everything else below `/-/` is the API.
  if (path.startsWith('/-/') && !path.startsWith('/-/-/')) return { kind: 'other' };
  return recognisePackage(raw);
}

function recognisePackage(raw: string): Pick<Route, 'kind' | 'name' | 'rest' | 'other'> {
  const parts = raw
    .slice(1)
    .split('/')
    .map((part) => decode(part) as string);
  let name = parts.shift() as string;
  if (name.startsWith('@') && !name.includes('/') && parts.length > 0) name += `/${parts.shift()}`;
  if (parts.length === 0) return { kind: 'packument', name };
  if (parts.length === 2 && parts[0] === '-') return { kind: 'tarball', name, rest: parts[1] as string };
  if (parts.length === 1) return { kind: 'other', other: 'manifest', name, rest: parts[0] as string };
  return { kind: 'other' };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
