import { parsePackageName } from '@_all_docs/packument';
import { parseAllDocuments } from 'yaml';
import type { CliError } from '../../exit.js';
import { bad } from './_read.js';
import { bunEntries, isBunLock, parseBun } from './bun.js';
import type { LockEntry, Source } from './entry.js';
import { isNpmLock, npmEntries } from './npm.js';
import { isPnpmLock, pnpmEntries } from './pnpm.js';
import { isBerryLock, yarnBerryEntries } from './yarn-berry.js';
import { isClassicLock, yarnClassicEntries } from './yarn-classic.js';

/** One version of a registry's package, as a lockfile has it. */
export interface LockedPackage {
  name: string;
  version: string;
  /** Subresource-integrity string, where the lockfile has one. */
  integrity?: string | undefined;
  /** URL of the tarball, where the lockfile has one. */
  resolved?: string | undefined;
}

/** What a lockfile holds. */
export interface LockedPackages {
  /** Each package, version, integrity and URL once; of aliases what they stand for. */
  packages: LockedPackage[];
  /** Tarballs of servers that are no registries, by their URLs. */
  tarballs: { name: string; url: string }[];
  /** Entries that nobody fetches from a registry: inside of other tarballs, repositories, files, links and workspaces. */
  skipped: Record<Exclude<Source, 'registry' | 'tarball'>, number>;
}

/**
 * The names of all registry packages in a lockfile of npm (any version), pnpm, yarn (1 and later) or bun (text), told
 * apart by what they say. `ERR_BAD_LOCKFILE` for anything else.
 */
export function lockfileNames(content: string, file: string): Set<string> {
  const names = new Set<string>();
  for (const { source, name } of readEntries(content, file)) {
    if (source === 'registry' || source === 'bundled') names.add(name);
  }
  if (names.size === 0) throw noPackage(file);
  for (const name of names) assertName(name, file);
  return names;
}

/** All packages in a lockfile with their versions. `ERR_BAD_LOCKFILE` as {@link lockfileNames}, and for a package without version. */
export function lockedPackages(content: string, file: string): LockedPackages {
  const packages = new Map<string, LockedPackage>();
  const tarballs = new Map<string, { name: string; url: string }>();
  const skipped = { bundled: 0, git: 0, file: 0, link: 0 };
  for (const { source, name, version, integrity, resolved } of readEntries(content, file)) {
    if (source === 'tarball') tarballs.set(`${resolved}`, { name, url: `${resolved}` });
    else if (source !== 'registry') skipped[source] += 1;
    else {
      assertName(name, file);
      if (typeof version !== 'string' || version === '') throw bad(file, `it has no version for ${name}`);
      const known = { name, version, integrity: textOf(integrity), resolved: textOf(resolved) };
      packages.set(JSON.stringify(Object.values(known)), known);
    }
  }
  if (packages.size === 0 && tarballs.size === 0) throw noPackage(file);
  return { packages: [...packages.values()], tarballs: [...tarballs.values()], skipped };
}

/** A lockfile is somebody else's text: what is not as it should be says nothing. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function noPackage(file: string): CliError {
  return bad(file, 'it names no package of a registry');
}

function readEntries(content: string, file: string): Iterable<LockEntry> {
  const text = content.replace(/^\ufeff/, '');
  if (/^#!.*\nbun-lockfile-format/.test(text))
    throw bad(
      file,
      "it is bun's binary form; make the text form with: bun install --save-text-lockfile --lockfile-only",
    );
  if (/^(<{7}|>{7}) /m.test(text)) throw bad(file, 'it has conflicts of a merge; install once more to settle them');
  if (/^\s*[{/]/.test(text)) return jsonEntries(text, file);
  if (isClassicLock(text)) return yarnClassicEntries(text, file);
  const documents = yamlDocuments(text, file);
  const [first] = documents;
  if (isBerryLock(first)) return yarnBerryEntries(first, file);
  const locks = documents.filter(isPnpmLock);
  if (locks.length === 0) throw bad(file, 'it is a lockfile of neither npm, pnpm, yarn nor bun');
  return pnpmEntries(locks, file);
}

function jsonEntries(text: string, file: string): Iterable<LockEntry> {
  let lock: unknown;
  try {
    // What npm writes is strict JSON; bun's has commas before closing brackets.
    lock = parseStrict(text) ?? parseBun(text);
  } catch (cause) {
    throw bad(file, 'it is not whole JSON', cause);
  }
  if (isBunLock(lock)) return bunEntries(lock, file);
  if (isNpmLock(lock)) return npmEntries(lock, file);
  throw bad(file, 'it has no lockfileVersion');
}

function parseStrict(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function yamlDocuments(text: string, file: string): unknown[] {
  try {
    const list = [parseAllDocuments(text)].flat();
    const broken = list.find(({ errors }) => errors.length > 0);
    if (broken) throw broken.errors[0];
    return list.map((document) => document.toJS());
  } catch (cause) {
    throw bad(file, `it is not whole YAML: ${(cause as Error).message.split('\n')[0]}`, cause);
  }
}

/** A lockfile is somebody else's text: what could not be asked for is refused with the file's name. */
function assertName(name: unknown, file: string): void {
  let same = false;
  try {
    same = typeof name === 'string' && parsePackageName(name) === name;
  } catch (cause) {
    throw bad(file, `${JSON.stringify(name)} is not a package name`, cause);
  }
  if (!same) throw bad(file, `${JSON.stringify(name)} is not a package name`);
}
