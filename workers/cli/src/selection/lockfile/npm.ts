import { entriesOf, fromRegistry } from './_read.js';
import { type LockEntry, sourceOf } from './entry.js';

interface NpmEntry {
  name?: string;
  version?: string;
  integrity?: string;
  link?: boolean;
  /** It lies in the tarball of the package that it is below: `inBundle`, before version 2 `bundled`. */
  inBundle?: boolean;
  bundled?: boolean;
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

export function npmEntries({ packages, dependencies }: NpmLock, file: string): Iterable<LockEntry> {
  return packages ? packageEntries(packages, file) : dependencyEntries(dependencies ?? {}, file);
}

/** Versions 2 and 3: paths below node_modules; an alias carries the real name in `name`. */
function* packageEntries(packages: Record<string, NpmEntry>, file: string): Iterable<LockEntry> {
  for (const [path, entry] of entriesOf(packages, file)) {
    const at = path.lastIndexOf('node_modules/');
    // The project itself, and its workspaces, which links lead to.
    if (at === -1) continue;
    const { version, integrity, resolved } = entry;
    const name = entry.name ?? path.slice(at + 'node_modules/'.length);
    if (entry.link) yield { source: 'link', name };
    else if (!fromRegistry(resolved)) yield { source: sourceOf(resolved ?? ''), name, resolved };
    else yield { source: entry.inBundle ? 'bundled' : 'registry', name, version, integrity, resolved };
  }
}

/** Version 1: a tree, of any depth; an alias carries the real name in `version`. */
function* dependencyEntries(dependencies: Record<string, NpmEntry>, file: string): Iterable<LockEntry> {
  const levels = [dependencies];
  for (let level = levels.pop(); level; level = levels.pop()) {
    for (const [name, { version = '', integrity, resolved, bundled, dependencies: nested }] of entriesOf(level, file)) {
      const alias = /^npm:(.+)@([^@]+)$/.exec(version);
      const source = bundled ? 'bundled' : 'registry';
      if (alias) yield { source, name: alias[1] as string, version: alias[2], integrity, resolved };
      else if (/^\d/.test(version) && fromRegistry(resolved)) yield { source, name, version, integrity, resolved };
      else yield { source: sourceOf(resolved ?? version), name, resolved: resolved ?? version };
      if (nested) levels.push(nested);
    }
  }
}
