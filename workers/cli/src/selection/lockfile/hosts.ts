import { encodeOrigin } from '@_all_docs/cache';
import type { LockedPackage, LockedPackages } from './index.js';

/** A tarball that is not fetched, since it lies at a host that is not the registry's. */
interface RefusedTarball {
  name: string;
  version?: string;
  url: string;
}

/** What is fetched of a lockfile, and what is refused. */
export interface Sorted {
  packages: LockedPackage[];
  refused: RefusedTarball[];
}

/**
 * Tells the registry's packages from those at other hosts. A lockfile's URL may name the registry itself, the public
 * registry, whose host every client swaps for the one that is configured, or a mirror in `mirrors`, as URLs have hosts:
 * whichever it names, the package comes from the registry. Nobody else is asked, whatever a lockfile says.
 */
export function sortByHost(
  { packages, tarballs }: LockedPackages,
  registry: string,
  mirrors: readonly string[] = [],
): Sorted {
  const own = new Set([new URL(registry).host, ...mirrors.map((host) => host.toLowerCase())]);
  const isOurs = ({ resolved }: LockedPackage) => resolved === undefined || isHostOf(resolved, own);
  return {
    packages: packages.filter(isOurs),
    refused: [
      ...packages
        .filter((locked) => !isOurs(locked))
        .map(({ name, version, resolved }) => ({ name, version, url: `${resolved}` })),
      ...tarballs,
    ],
  };
}

function isHostOf(url: string, own: ReadonlySet<string>): boolean {
  if (!URL.canParse(url)) return false;
  const { host, origin } = new URL(url);
  if (own.has(host)) return true;
  return /^https?:/.test(origin) && (encodeOrigin(origin) === 'npm' || isOtherNameOfPublic(host));
}

/** yarn 1 writes a name of its own for the public registry, told here by its labels. */
function isOtherNameOfPublic(host: string): boolean {
  const [first, second, top, ...more] = host.split('.');
  return first === 'registry' && second === 'yarnpkg' && top === 'com' && more.length === 0;
}
