/** Installing with a package manager, and telling what it left behind from what another one left. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Client, Place } from './tools.ts';

/** Files that a client writes about itself: they hold times and paths. */
const OWN =
  /(^|\/)(\.bin|\.cache)\/|(^|\/)\.(package-lock\.json|modules\.yaml|yarn-integrity|yarn-state\.yml|pnpm-workspace-state[^/]*|pnpm\/lock\.yaml)$/;

/** What an installation left behind. */
export interface Installed {
  seconds: number;
  files: Map<string, string>;
  integrities: Set<string>;
  lock: string;
}

export interface InstallOptions {
  /** The project's folder; what the client keeps goes beside it. */
  project: string;
  registry: string;
  dependencies: Record<string, string>;
  /** A lockfile that is to be installed as it is. */
  lock?: string;
}

/** Installs in a new folder, with an empty cache. Rejects when the client fails. */
export async function install(client: Client, options: InstallOptions): Promise<Installed> {
  const { project, registry, dependencies, lock } = options;
  const state = `${project}-state`;
  const home = `${project}-home`;
  for (const folder of [project, state, home]) mkdirSync(folder, { recursive: true });
  const place: Place = { project, state, registry };
  const manifest = { name: 'app', version: '1.0.0', private: true, license: 'MIT', dependencies };
  const files = { 'package.json': JSON.stringify(manifest, undefined, 2), ...client.files?.(place) };
  if (lock !== undefined) Object.assign(files, { [client.lockfile]: client.relocated?.(lock, registry) ?? lock });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(project, file), content);
  const [command, ...args] = client[lock === undefined ? 'command' : 'frozen'](place) as [string, ...string[]];
  // A home of its own: no setting of this machine's user has a say.
  const inherited = Object.entries(process.env).filter(
    ([key]) => !/^(npm_|yarn_|bun_|pnpm_|CI$|NODE_OPTIONS$)/i.test(key),
  );
  const env = { ...Object.fromEntries(inherited), HOME: home, ...client.env?.(place) };
  const started = process.hrtime.bigint();
  const child = spawn(command, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${out.slice(-2000)}\n${err.slice(-2000)}`);
  const after = readFileSync(join(project, client.lockfile), 'utf8');
  return { seconds, files: digests(join(project, 'node_modules')), integrities: integritiesIn(after), lock: after };
}

/** How many packages lie in an installation. */
export function countPackages({ files }: Installed): number {
  const isPackage = (path: string) => /^(.*\/node_modules\/)?(@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path);
  return [...files.keys()].filter(isPackage).length;
}

/** What differs, a line each. */
export function differencesOf(wanted: Installed, got: Installed): string[] {
  const list: string[] = [];
  for (const [name, digest] of wanted.files) {
    if (!got.files.has(name)) list.push(`${name} is missing`);
    else if (got.files.get(name) !== digest) list.push(`${name} differs`);
  }
  for (const name of got.files.keys()) if (!wanted.files.has(name)) list.push(`${name} is too many`);
  for (const text of wanted.integrities) if (!got.integrities.has(text)) list.push(`the lockfile lacks ${text}`);
  for (const text of got.integrities) if (!wanted.integrities.has(text)) list.push(`the lockfile has ${text} too many`);
  return list;
}

/** Integrities and yarn's checksums: what the lockfile says of the bytes. */
function integritiesIn(lock: string): Set<string> {
  return new Set(lock.match(/sha(?:1|512)-[A-Za-z0-9+/]+=*|checksum: \S+/g));
}

/** The digest of every file below a folder; of a link, where it leads. */
function digests(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    if (OWN.test(name)) continue;
    if (entry.isSymbolicLink()) found.set(name, `-> ${readlinkSync(path)}`);
    else if (entry.isFile()) found.set(name, createHash('sha256').update(readFileSync(path)).digest('hex'));
  }
  return found;
}
