import { isObject } from './projection.js';
import { tarballFile, tarballUrl } from './tarball-url.js';

/**
 * What the abbreviated form says of a version (npm/registry, "Package metadata", abbreviated version object), and `libc`
 * beyond it: installers need that to choose among optional packages of a platform.
 */
export const ABBREVIATED_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'version',
  'deprecated',
  'dependencies',
  'acceptDependencies',
  'optionalDependencies',
  'devDependencies',
  'bundleDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bin',
  'directories',
  'dist',
  'engines',
  '_hasShrinkwrap',
  'funding',
  'cpu',
  'os',
  'libc',
]);
/** Scripts that make `hasInstallScript` true: full documents do not say it, abbreviated ones have no scripts. */
export const INSTALL_SCRIPTS: ReadonlySet<string> = new Set(['preinstall', 'install', 'postinstall']);

/** What the abbreviated form of a package's document says of one version, for those who have it parsed. */
export function abbreviateVersion(
  name: string,
  key: string,
  version: Record<string, unknown>,
  base?: string,
): Record<string, unknown> {
  const short: Record<string, unknown> = {};
  for (const field of ABBREVIATED_FIELDS) {
    if (version[field] !== undefined) short[field] = version[field];
  }
  if (runsInstallScript(version)) short['hasInstallScript'] = true;
  return base === undefined ? short : withOwnTarball(name, key, short, base);
}

/** A version with our own tarball URL, where it has one. */
export function withOwnTarball(
  name: string,
  key: string,
  version: Record<string, unknown>,
  base: string,
): Record<string, unknown> {
  const { dist } = version;
  if (!isObject(dist) || typeof dist['tarball'] !== 'string') return version;
  return { ...version, dist: { ...dist, tarball: tarballUrl(base, name, tarballFile(name, key, dist['tarball'])) } };
}

/** Left out when false. */
function runsInstallScript({ scripts, hasInstallScript }: Record<string, unknown>): boolean {
  return (
    hasInstallScript === true ||
    (isObject(scripts) && [...INSTALL_SCRIPTS].some((name) => Object.hasOwn(scripts, name)))
  );
}
