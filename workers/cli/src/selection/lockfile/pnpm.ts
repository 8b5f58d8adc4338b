import { entriesOf, fromRegistry } from './_read.js';

interface PnpmEntry {
  name?: string;
  resolution?: { tarball?: string; directory?: string; commit?: string } | null;
}

/** One document of a `pnpm-lock.yaml`. */
interface PnpmLock {
  lockfileVersion: unknown;
  packages?: Record<string, PnpmEntry> | null;
}

export function isPnpmLock(document: unknown): document is PnpmLock {
  return typeof document === 'object' && document !== null && 'lockfileVersion' in document;
}

/** Newer pnpm puts a document of its own tools before the project's: the names of all are given. */
export function pnpmNames(locks: readonly PnpmLock[], file: string): Set<string> {
  const names = new Set<string>();
  for (const [key, { name, resolution }] of locks.flatMap(({ packages }) => entriesOf(packages ?? {}, file))) {
    const own = name ?? packageOf(key);
    const elsewhere = resolution?.directory ?? resolution?.commit;
    if (own !== undefined && elsewhere === undefined && fromRegistry(resolution?.tarball)) names.add(own);
  }
  return names;
}

/** `/name/1.0.0` (pnpm 5), `/name@1.0.0(peers)` (6), `name@1.0.0` (9), scoped or not; `undefined` for files and git. */
function packageOf(key: string): string | undefined {
  const bare = key.replace(/^\//, '').replace(/\(.*$/, '');
  const match = /^(@[^/@]+\/[^/@]+|[^/@]+)[@/](.+)$/.exec(bare);
  return match && /^\d/.test(match[2] ?? '') ? match[1] : undefined;
}
