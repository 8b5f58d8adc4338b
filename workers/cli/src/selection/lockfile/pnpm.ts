import { entriesOf, fromRegistry } from './_read.js';
import { type LockEntry, sourceOf } from './entry.js';

interface PnpmEntry {
  name?: string;
  version?: string;
  resolution?: { integrity?: string; tarball?: string; directory?: string; commit?: string } | null;
}

/** One document of a `pnpm-lock.yaml`. */
interface PnpmLock {
  lockfileVersion: unknown;
  packages?: Record<string, PnpmEntry> | null;
}

export function isPnpmLock(document: unknown): document is PnpmLock {
  return typeof document === 'object' && document !== null && 'lockfileVersion' in document;
}

/** Newer pnpm puts a document of its own tools before the project's: the entries of all are given. */
export function* pnpmEntries(locks: readonly PnpmLock[], file: string): Iterable<LockEntry> {
  for (const [key, entry] of locks.flatMap(({ packages }) => entriesOf(packages ?? {}, file))) {
    const { integrity, tarball, directory, commit } = entry.resolution ?? {};
    const own = packageOf(key);
    const name = entry.name ?? own?.name;
    if (directory !== undefined) yield { source: 'file', name: name ?? key };
    else if (commit !== undefined) yield { source: 'git', name: name ?? key };
    else if (!fromRegistry(tarball)) yield { source: sourceOf(tarball ?? ''), name: name ?? key, resolved: tarball };
    else if (name === undefined) yield { source: 'file', name: key };
    else yield { source: 'registry', name, version: entry.version ?? own?.version, integrity, resolved: tarball };
  }
}

/** `/name/1.0.0_peers` (pnpm 5), `/name@1.0.0(peers)` (6), `name@1.0.0` (9), scoped or not; `undefined` for files and git. */
function packageOf(key: string): { name: string; version: string } | undefined {
  const bare = key.replace(/^\//, '').replace(/\(.*$/, '');
  const [, name, version = ''] = /^(@[^/@]+\/[^/@]+|[^/@]+)[@/](.+)$/.exec(bare) ?? [];
  // No version has an underscore.
  return name !== undefined && /^\d/.test(version) ? { name, version: version.replace(/_.*$/, '') } : undefined;
}
