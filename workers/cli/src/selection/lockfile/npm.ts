import { entriesOf, fromRegistry } from './_read.js';

interface NpmEntry {
  name?: string;
  version?: string;
  link?: boolean;
  resolved?: string;
  dependencies?: Record<string, NpmEntry> | null;
}

/** What `package-lock.json` and `npm-shrinkwrap.json` hold. */
interface NpmLock {
  lockfileVersion: number;
  packages?: Record<string, NpmEntry> | null;
  dependencies?: Record<string, NpmEntry> | null;
}

export function isNpmLock(value: unknown): value is NpmLock {
  return typeof value === 'object' && value !== null && typeof (value as NpmLock).lockfileVersion === 'number';
}

export function npmNames({ packages, dependencies }: NpmLock, file: string): Set<string> {
  const names = new Set<string>();
  if (packages) addPackages(packages, names, file);
  else addDependencies(dependencies ?? {}, names, file);
  return names;
}

/** Versions 2 and 3: paths below node_modules; an alias carries the real name in `name`. */
function addPackages(packages: Record<string, NpmEntry>, names: Set<string>, file: string): void {
  for (const [path, entry] of entriesOf(packages, file)) {
    const at = path.lastIndexOf('node_modules/');
    if (at === -1 || entry.link || !fromRegistry(entry.resolved)) continue;
    names.add(entry.name ?? path.slice(at + 'node_modules/'.length));
  }
}

/** Version 1: a tree, of any depth; an alias carries the real name in `version`. */
function addDependencies(dependencies: Record<string, NpmEntry>, names: Set<string>, file: string): void {
  const levels = [dependencies];
  for (let level = levels.pop(); level; level = levels.pop()) {
    for (const [name, { version = '', resolved, dependencies: nested }] of entriesOf(level, file)) {
      const alias = /^npm:(.+)@[^@]+$/.exec(version)?.[1];
      if (alias) names.add(alias);
      else if (/^\d/.test(version) && fromRegistry(resolved)) names.add(name);
      if (nested) levels.push(nested);
    }
  }
}
