/** The package managers that installations are compared with, and the applications that they install. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const APPS: Record<string, Record<string, string>> = {
  // A server, a tool with a binary for each platform, a scope.
  small: { express: '4.21.2', esbuild: '0.25.12', '@types/express': '4.17.25' },
  // A web bundler, a test runner, two frameworks: more than 500 packages.
  large: {
    ...{ express: '4.21.2', react: '18.3.1', 'react-dom': '18.3.1', next: '14.2.33', webpack: '5.102.1' },
    ...{ 'webpack-cli': '5.1.4', jest: '29.7.0', typescript: '5.9.3', eslint: '8.57.1', vite: '4.5.14' },
  },
};

/** The newest of each when this was written; pinned, so that a run today and one next year say the same. */
const PACKAGES = [
  ...['npm@12.2.0', 'pnpm@12.21.0', 'yarn@1.22.22', '@yarnpkg/cli-dist@4.18.1', 'bun@1.4.5'],
  // The last one that takes signing keys from the registry itself; later ones ask a trust root on the internet first.
  'npm-9@npm:npm@9.5.1',
];

/** Where a client installs, and from where. */
export interface Place {
  /** The project's folder. */
  project: string;
  /** The client's cache, and whatever else it keeps. */
  state: string;
  registry: string;
}

/** A package manager. */
export interface Client {
  lockfile: string;
  /** Settings that it reads from the project. */
  files?: (place: Place) => Record<string, string>;
  env?: (place: Place) => Record<string, string>;
  command: (place: Place) => string[];
  /** Installs what the lockfile says, and nothing else. */
  frozen: (place: Place) => string[];
  /** The lockfile for another registry, for a client that asks wherever its lockfile says. */
  relocated?: (lock: string, registry: string) => string;
}

const tools = installTools();
const script = (path: string) => [process.execPath, join(tools, 'node_modules', path)];

const npm = ({ state, registry }: Place, ...verb: string[]) => [
  ...script('npm/bin/npm-cli.js'),
  ...[...verb, '--ignore-scripts', '--no-audit', '--no-fund', '--cache', state, '--registry', registry],
];
const pnpm = ({ state, registry }: Place, ...flags: string[]) => [
  join(tools, 'node_modules/.bin/pnpm'),
  ...['install', '--ignore-scripts', ...flags, '--registry', registry],
  ...['--store-dir', join(state, 'store'), `--config.cacheDir=${join(state, 'cache')}`],
  // The day's wait needs publish times, which not every registry tells.
  '--config.minimumReleaseAge=0',
];
const yarn1 = ({ state, registry }: Place, ...flags: string[]) => [
  ...script('yarn/bin/yarn.js'),
  ...['install', ...flags, '--ignore-scripts', '--non-interactive', '--ignore-engines', '--registry', registry],
  ...['--cache-folder', state],
];
const yarn4 = (...flags: string[]) => [...script('@yarnpkg/cli-dist/bin/yarn.js'), 'install', ...flags];
// The package of this platform holds the program; the one called `bun` only links to it, by a script.
const bun = (...flags: string[]) => [
  join(tools, `node_modules/@oven/bun-${process.platform}-${process.arch}/bin/bun`),
  ...['install', '--ignore-scripts', ...flags],
];

const CLIENTS: Record<string, Client> = {
  npm: {
    lockfile: 'package-lock.json',
    command: (place) => npm(place, 'install'),
    frozen: (place) => npm(place, 'ci'),
  },
  pnpm: {
    lockfile: 'pnpm-lock.yaml',
    command: (place) => pnpm(place, '--no-frozen-lockfile'),
    frozen: (place) => pnpm(place, '--frozen-lockfile'),
  },
  yarn1: {
    lockfile: 'yarn.lock',
    command: (place) => yarn1(place),
    frozen: (place) => yarn1(place, '--frozen-lockfile'),
    // It asks the host that its lockfile names, whatever registry is configured.
    relocated: (lock, registry) => lock.replace(/^( {2}resolved ")https?:\/\/[^/]+\//gm, `$1${registry}`),
  },
  yarn4: {
    lockfile: 'yarn.lock',
    files: ({ registry, state }) => ({
      '.yarnrc.yml': [
        `npmRegistryServer: ${JSON.stringify(registry.replace(/\/$/, ''))}`,
        `globalFolder: ${JSON.stringify(state)}`,
        ...[
          'nodeLinker: node-modules',
          'enableScripts: false',
          'enableTelemetry: false',
          'enableImmutableInstalls: false',
        ],
        ...['npmMinimalAgeGate: 0', 'unsafeHttpWhitelist: ["127.0.0.1"]', ''],
      ].join('\n'),
      'yarn.lock': '',
    }),
    command: () => yarn4(),
    frozen: () => yarn4('--immutable'),
  },
  bun: {
    lockfile: 'bun.lock',
    files: ({ registry }) => ({ 'bunfig.toml': `[install]\nregistry = "${registry}"\n` }),
    env: ({ state }) => ({ BUN_INSTALL_CACHE_DIR: state }),
    command: () => bun(),
    frozen: () => bun('--frozen-lockfile'),
  },
};

/** The clients of these names, all of them unless told. */
export function chooseClients(names: string | undefined): [name: string, client: Client][] {
  return (names?.split(',') ?? Object.keys(CLIENTS)).map((name) => {
    const client = CLIENTS[name];
    if (!client) throw new Error(`no client ${name}; there are ${Object.keys(CLIENTS).join(', ')}`);
    return [name, client];
  });
}

/** The npm whose `audit signatures` asks nobody but the registry. */
export const AUDITING_NPM: readonly string[] = script('npm-9/bin/npm-cli.js');

/** The registry that npm is configured for. */
export function directRegistry(): string {
  return spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim();
}

/** The package managers, in a folder outside of the checkout; made anew when it is missing. */
function installTools(): string {
  const id = createHash('sha256').update(PACKAGES.join()).digest('hex').slice(0, 12);
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'all_docs', `clients-${id}`);
  if (existsSync(join(folder, 'ready'))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder, ...PACKAGES];
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8', cwd: folder });
  if (status !== 0) throw new Error(`the package managers could not be installed:\n${stderr}`);
  writeFileSync(join(folder, 'ready'), '');
  return folder;
}
