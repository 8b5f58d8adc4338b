import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Editor, editBunfig, editNpmrc, editYarnrc, editYarnrcYml } from './edits.js';

export const CLIENTS = ['npm', 'pnpm', 'yarn1', 'yarn4', 'bun'] as const;
export type Client = (typeof CLIENTS)[number];

/** Where a client's configuration lies, below the project or the user's home, and how it is changed. */
interface ClientConfig {
  project: string;
  user: string;
  edit: Editor;
}

const CONFIGS: Record<Client, ClientConfig> = {
  npm: { project: '.npmrc', user: '.npmrc', edit: editNpmrc },
  pnpm: { project: '.npmrc', user: '.npmrc', edit: editNpmrc },
  yarn1: { project: '.yarnrc', user: '.yarnrc', edit: editYarnrc },
  yarn4: { project: '.yarnrc.yml', user: '.yarnrc.yml', edit: editYarnrcYml },
  bun: { project: 'bunfig.toml', user: '.bunfig.toml', edit: editBunfig },
};

export interface Place {
  /** Directory of the project. */
  cwd: string;
  /** The user's own configuration instead of the project's. */
  global: boolean;
  env: NodeJS.ProcessEnv;
}

export interface ConfigFile {
  clients: Client[];
  path: string;
  edit: Editor;
}

/** The files of some clients; those that read the same file share it. */
export function configFiles(clients: readonly Client[], place: Place): ConfigFile[] {
  const files = new Map<string, ConfigFile>();
  for (const client of new Set(clients)) {
    const path = pathOf(client, place);
    const file = files.get(path);
    if (file) file.clients.push(client);
    else files.set(path, { clients: [client], path, edit: CONFIGS[client].edit });
  }
  return [...files.values()];
}

function pathOf(client: Client, { cwd, global, env }: Place): string {
  const { project, user } = CONFIGS[client];
  if (!global) return join(cwd, project);
  const home = env['HOME'] ?? env['USERPROFILE'] ?? '.';
  if (client === 'npm' || client === 'pnpm') return env['npm_config_userconfig'] ?? join(home, user);
  return join((client === 'bun' && env['XDG_CONFIG_HOME']) || home, user);
}

/** The clients that a project is installed with, by its lockfiles; npm where nothing tells. */
export function clientsOf(cwd: string): Client[] {
  const has = (name: string) => existsSync(join(cwd, name));
  const found: Client[] = [];
  if (has('package-lock.json') || has('npm-shrinkwrap.json')) found.push('npm');
  if (has('pnpm-lock.yaml')) found.push('pnpm');
  if (has('.yarnrc.yml') || (has('yarn.lock') && /^__metadata:/m.test(readFileSync(join(cwd, 'yarn.lock'), 'utf8'))))
    found.push('yarn4');
  else if (has('yarn.lock')) found.push('yarn1');
  if (has('bun.lock') || has('bun.lockb')) found.push('bun');
  return found.length > 0 ? found : ['npm'];
}
