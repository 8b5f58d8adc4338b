import { parseAllDocuments } from 'yaml';
import { CliError } from '../exit.js';

/** The names of all registry packages in a lockfile of npm (any version) or pnpm. `ERR_BAD_LOCKFILE` for anything else. */
export function lockfileNames(text: string, file: string): Set<string> {
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

function npmNames(text: string, file: string): Set<string> {
  let lock: { lockfileVersion?: unknown; packages?: Record<string, NpmEntry>; dependencies?: Record<string, NpmEntry> };
  try {
    lock = JSON.parse(text);
  } catch (cause) {
    throw bad(file, 'it is not whole JSON', cause);
  }
  if (typeof lock.lockfileVersion !== 'number') throw bad(file, 'it has no lockfileVersion');
  const names = new Set<string>();
  if (lock.packages) addPackages(lock.packages, names);
  else addDependencies(lock.dependencies ?? {}, names);
  return names;
}

/** Versions 2 and 3: paths below node_modules; an alias carries the real name in `name`. */
function addPackages(packages: Record<string, NpmEntry>, names: Set<string>): void {
  for (const [path, entry] of Object.entries(packages)) {
    const at = path.lastIndexOf('node_modules/');
    if (at === -1 || entry.link || !fromRegistry(entry.resolved)) continue;
    names.add(entry.name ?? path.slice(at + 'node_modules/'.length));
  }
}

/** Version 1: a tree; an alias carries the real name in `version`. */
function addDependencies(dependencies: Record<string, NpmEntry>, names: Set<string>): void {
  for (const [name, entry] of Object.entries(dependencies)) {
    const { version = '', resolved, dependencies: nested } = entry;
    const alias = /^npm:(.+)@[^@]+$/.exec(version)?.[1];
    if (alias) names.add(alias);
    else if (fromRegistry(resolved) && !/^(file|git|https?|github)[:+]/.test(version)) names.add(name);
    if (nested) addDependencies(nested, names);
  }
}

/** Tarballs of git hosts and files are no packages of a registry. npm leaves `resolved` out when told to. */
function fromRegistry(resolved: string | undefined): boolean {
  return (
    resolved === undefined ||
    (/^https?:/.test(resolved) && !/^https?:\/\/[^/]*(codeload|gitlab|bitbucket)\./.test(resolved))
  );
}

function pnpmNames(text: string, file: string): Set<string> {
  const names = new Set<string>();
  let known = false;
  // Newer pnpm puts a document of its own tools before the project's: both are read.
  for (const document of documents(text, file)) {
    const lock = document as {
      lockfileVersion?: unknown;
      packages?: Record<string, { resolution?: Record<string, unknown>; name?: string }>;
    } | null;
    if (!lock || typeof lock !== 'object' || lock.lockfileVersion === undefined) continue;
    known = true;
    for (const [key, { resolution = {}, name } = {}] of Object.entries(lock.packages ?? {})) {
      const id = name ?? packageOf(key);
      if (
        id &&
        !('tarball' in resolution && !('integrity' in resolution)) &&
        !('commit' in resolution) &&
        !('directory' in resolution)
      )
        names.add(id);
    }
  }
  if (!known) throw bad(file, 'it is a lockfile of neither npm nor pnpm');
  return names;
}

function documents(text: string, file: string): unknown[] {
  const parsed = parseAllDocuments(text);
  const list = Array.isArray(parsed) ? parsed : [];
  const broken = list.find(({ errors }) => errors.length > 0);
  if (broken) throw bad(file, `it is not whole YAML: ${broken.errors[0]?.message.split('\n')[0]}`);
  return list.map((document) => document.toJS());
}

/** `/name/1.0.0` (pnpm 5), `/name@1.0.0(peers)` (6), `name@1.0.0` (9), scoped or not; `undefined` for files and git. */
function packageOf(key: string): string | undefined {
  const bare = key.replace(/^\//, '').replace(/\(.*$/, '');
  const match = /^(@[^/@]+\/[^/@]+|[^/@]+)[@/](.+)$/.exec(bare);
  return match && /^\d/.test(match[2] ?? '') ? match[1] : undefined;
}

function bad(file: string, why: string, cause?: unknown): CliError {
  return new CliError(
    'ERR_BAD_LOCKFILE',
    `cannot read ${file} as a lockfile: ${why}; give a package-lock.json, npm-shrinkwrap.json or pnpm-lock.yaml`,
    undefined,
    { cause },
  );
}
