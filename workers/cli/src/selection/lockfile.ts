import { parseAllDocuments } from 'yaml';
import { CliError } from '../exit.js';

/** The names of all registry packages in a lockfile of npm (any version) or pnpm. `ERR_BAD_LOCKFILE` for anything else. */
export function lockfileNames(content: string, file: string): Set<string> {
  const text = content.replace(/^\ufeff/, '');
  const names = text.trimStart().startsWith('{') ? npmNames(text, file) : pnpmNames(text, file);
  if (names.size === 0) throw bad(file, 'it names no package of a registry');
  return names;
}

interface NpmEntry {
  name?: string;
  version?: string;
  link?: boolean;
  resolved?: string;
  dependencies?: Record<string, NpmEntry>;
}

interface NpmLock {
  lockfileVersion?: unknown;
  packages?: Record<string, NpmEntry>;
  dependencies?: Record<string, NpmEntry>;
}

function npmNames(text: string, file: string): Set<string> {
  let lock: NpmLock;
  try {
    lock = JSON.parse(text);
  } catch (cause) {
    throw bad(file, 'it is not whole JSON', cause);
  }
  if (typeof lock.lockfileVersion !== 'number') throw bad(file, 'it has no lockfileVersion');
  const names = new Set<string>();
  if (lock.packages) addPackages(lock.packages, names, file);
  else addDependencies(lock.dependencies ?? {}, names, file);
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

/** Version 1: a tree; an alias carries the real name in `version`. */
function addDependencies(dependencies: Record<string, NpmEntry>, names: Set<string>, file: string): void {
  for (const [name, entry] of entriesOf(dependencies, file)) {
    const { version = '', resolved, dependencies: nested } = entry;
    const alias = /^npm:(.+)@[^@]+$/.exec(version)?.[1];
    if (alias) names.add(alias);
    else if (/^\d/.test(version) && fromRegistry(resolved)) names.add(name);
    if (nested) addDependencies(nested, names, file);
  }
}

/**
 * Whether a tarball is a registry's (its path has `/-/`, or `/download/` on one host): those of git hosts, files and
 * other servers name no package of a registry. npm leaves `resolved` out when told to.
 */
function fromRegistry(tarball: string | undefined): boolean {
  return tarball === undefined || /^https?:\/\/.+\/(-|download)\//.test(tarball);
}

interface PnpmEntry {
  name?: string;
  resolution?: { tarball?: string; directory?: string; commit?: string };
}

interface PnpmLock {
  lockfileVersion?: unknown;
  packages?: Record<string, PnpmEntry> | null;
}

function pnpmNames(text: string, file: string): Set<string> {
  const locks = documents(text, file).filter(isPnpmLock);
  if (locks.length === 0) throw bad(file, 'it is a lockfile of neither npm nor pnpm');
  const names = new Set<string>();
  // Newer pnpm puts a document of its own tools before the project's: both are read.
  for (const [key, { name, resolution = {} }] of locks.flatMap(({ packages }) => entriesOf(packages ?? {}, file))) {
    const own = name ?? packageOf(key);
    const elsewhere = resolution.directory ?? resolution.commit;
    if (own !== undefined && elsewhere === undefined && fromRegistry(resolution.tarball)) names.add(own);
  }
  return names;
}

function isPnpmLock(document: unknown): document is PnpmLock {
  return typeof document === 'object' && document !== null && 'lockfileVersion' in document;
}

function documents(text: string, file: string): unknown[] {
  try {
    const list = [parseAllDocuments(text)].flat();
    const broken = list.find(({ errors }) => errors.length > 0);
    if (broken) throw broken.errors[0];
    return list.map((document) => document.toJS());
  } catch (cause) {
    throw bad(file, `it is not whole YAML: ${(cause as Error).message.split('\n')[0]}`, cause);
  }
}

/** `/name/1.0.0` (pnpm 5), `/name@1.0.0(peers)` (6), `name@1.0.0` (9), scoped or not; `undefined` for files and git. */
function packageOf(key: string): string | undefined {
  const bare = key.replace(/^\//, '').replace(/\(.*$/, '');
  const match = /^(@[^/@]+\/[^/@]+|[^/@]+)[@/](.+)$/.exec(bare);
  return match && /^\d/.test(match[2] ?? '') ? match[1] : undefined;
}

function entriesOf<T extends object>(record: Record<string, T>, file: string): [string, T][] {
  const entries = Object.entries(record);
  const broken = entries.find(([, entry]) => typeof entry !== 'object' || entry === null);
  if (broken) throw bad(file, `its entry ${JSON.stringify(broken[0])} is empty`);
  return entries;
}

function bad(file: string, why: string, cause?: unknown): CliError {
  return new CliError(
    'ERR_BAD_LOCKFILE',
    `cannot read ${file} as a lockfile: ${why}; give a package-lock.json, npm-shrinkwrap.json or pnpm-lock.yaml`,
    undefined,
    { cause },
  );
}
