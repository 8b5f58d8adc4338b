/** What a request asked for, as a label of few values: for counters, never for routing. */
export type RouteLabel =
  | 'advisories'
  | 'attestations'
  | 'dist-tags'
  | 'documents'
  | 'keys'
  | 'listing'
  | 'malformed'
  | 'operations'
  | 'other'
  | 'packument'
  | 'ping'
  | 'search'
  | 'tarball'
  | 'work';

const TAKE_BODIES: ReadonlySet<RouteLabel> = new Set(['advisories', 'documents', 'work']);

const API: readonly [prefix: string, label: RouteLabel][] = [
  ['ping', 'ping'],
  ['v1/search', 'search'],
  ['package/', 'dist-tags'],
  ['npm/v1/keys', 'keys'],
  ['npm/v1/attestations/', 'attestations'],
  ['npm/v1/security/', 'advisories'],
];

/** What other replicas ask for. */
const LISTING = /^\/(|registry\/?|(registry\/)?(_all_docs|_changes)|-\/listing\/.*)$/;

/** `packument` stands for all documents of a package: both forms, single versions too. */
export function routeLabel(target: string): RouteLabel {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  if (path.endsWith('.tgz') && path.includes('/-/')) return 'tarball';
  if (path.startsWith('/npm/-/')) {
    const rest = path.slice('/npm/-/'.length);
    return API.find(([prefix]) => rest.startsWith(prefix))?.[1] ?? 'other';
  }
  if (path === '/-/documents') return 'documents';
  if (path === '/work') return 'work';
  if (LISTING.test(path)) return 'listing';
  return path.startsWith('/npm/') && path.length > '/npm/'.length ? 'packument' : 'other';
}

/** The requests whose bodies are read: npm, pnpm and bun send their audits, other replicas what they hold, queues that push their work. */
export function takesBody(method: string | undefined, target: string): boolean {
  return method === 'POST' && TAKE_BODIES.has(routeLabel(target));
}
