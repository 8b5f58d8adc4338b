/**
 * Installs an application with real package managers, straight from the registry and through `_all_docs serve`, and
 * compares what they installed file by file.
 *
 *   node scripts/clients.ts [--app small|large] [--clients npm,pnpm,yarn1,yarn4,bun] [--rounds 1] [--json]
 *
 * Each client installs with an empty cache of its own each time: direct; cold (nothing is in the replica); warm (the
 * replica holds it all); offline (the server may not ask the registry). The package managers are installed outside of
 * the checkout, once. Exits 1 when an installation fails, or its files, versions or integrities differ from the direct one's.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    app: { type: 'string', default: 'small' },
    clients: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

const APPS: Record<string, Record<string, string>> = {
  // A server, a tool with a binary for each platform, a scope.
  small: { express: '4.21.2', esbuild: '0.25.12', '@types/express': '4.17.25' },
  // A web bundler, a test runner, two frameworks: more than 500 packages.
  large: {
    ...{ express: '4.21.2', react: '18.3.1', 'react-dom': '18.3.1', next: '14.2.33', webpack: '5.102.1' },
    ...{ 'webpack-cli': '5.1.4', jest: '29.7.0', typescript: '5.9.3', eslint: '8.57.1', vite: '5.4.21' },
  },
};

/** The newest of each when this was written; pinned, so that a run today and one next year say the same. */
const PACKAGES = ['npm@12.2.0', 'pnpm@12.21.0', 'yarn@1.22.22', '@yarnpkg/cli-dist@4.18.1', 'bun@1.4.5'];

interface Place {
  /** The project's folder. */
  project: string;
  /** The client's cache, and whatever else it keeps. */
  state: string;
  registry: string;
}

interface Client {
  lockfile: string;
  /** Settings that it reads from the project. */
  files?: (place: Place) => Record<string, string>;
  env?: (place: Place) => Record<string, string>;
  command: (place: Place) => string[];
}

const tools = installTools();
const script = (path: string) => [process.execPath, join(tools, 'node_modules', path)];
const CLIENTS: Record<string, Client> = {
  npm: {
    lockfile: 'package-lock.json',
    command: ({ state, registry }) => [
      ...script('npm/bin/npm-cli.js'),
      ...['install', '--ignore-scripts', '--no-audit', '--no-fund', '--cache', state, '--registry', registry],
    ],
  },
  pnpm: {
    lockfile: 'pnpm-lock.yaml',
    command: ({ state, registry }) => [
      join(tools, 'node_modules/.bin/pnpm'),
      ...['install', '--ignore-scripts', '--no-frozen-lockfile', '--registry', registry],
      ...['--store-dir', join(state, 'store'), `--config.cacheDir=${join(state, 'cache')}`],
      // The day's wait needs publish times, which not every registry tells.
      '--config.minimumReleaseAge=0',
    ],
  },
  yarn1: {
    lockfile: 'yarn.lock',
    command: ({ state, registry }) => [
      ...script('yarn/bin/yarn.js'),
      ...['install', '--ignore-scripts', '--non-interactive', '--ignore-engines', '--registry', registry],
      ...['--cache-folder', state],
    ],
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
    command: () => [...script('@yarnpkg/cli-dist/bin/yarn.js'), 'install'],
  },
  bun: {
    lockfile: 'bun.lock',
    files: ({ registry }) => ({ 'bunfig.toml': `[install]\nregistry = "${registry}"\n` }),
    env: ({ state }) => ({ BUN_INSTALL_CACHE_DIR: state }),
    // The package of this platform holds the program; the one called `bun` only links to it, by a script.
    command: () => [
      join(tools, `node_modules/@oven/bun-${process.platform}-${process.arch}/bin/bun`),
      ...['install', '--ignore-scripts'],
    ],
  },
};

/** Files that a client writes about itself: they hold times and paths. */
const OWN =
  /(^|\/)(\.bin|\.cache)\/|(^|\/)\.(package-lock\.json|modules\.yaml|yarn-integrity|yarn-state\.yml|pnpm-workspace-state[^/]*|pnpm\/lock\.yaml)$/;

/** What an installation left behind. */
interface Installed {
  seconds: number;
  files: Map<string, string>;
  integrities: Set<string>;
}

const work = mkdtempSync(join(tmpdir(), 'all-docs-clients-'));
const app = APPS[values.app];
if (!app) throw new Error(`no application ${values.app}; there are ${Object.keys(APPS).join(', ')}`);
const chosen = values.clients?.split(',') ?? Object.keys(CLIENTS);
const direct = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim();
let problems = 0;
try {
  for (const name of chosen) {
    const client = CLIENTS[name];
    if (!client) throw new Error(`no client ${name}; there are ${Object.keys(CLIENTS).join(', ')}`);
    for (let round = 0; round < Number(values.rounds); round++) await check(name, client);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(problems === 0 ? 'every installation equals the direct one' : `${problems} installations differ`);
process.exitCode = problems === 0 ? 0 : 1;

async function check(name: string, client: Client): Promise<void> {
  const folder = mkdtempSync(join(work, `${name}-`));
  const replica = join(folder, 'replica');
  const wanted = await install(client, join(folder, 'direct'), direct);
  let server = await serve(replica);
  const cold = await install(client, join(folder, 'cold'), server.url);
  const asked = await originRequests(server.base);
  const warm = await install(client, join(folder, 'warm'), server.url);
  const again = (await originRequests(server.base)) - asked;
  await server.stop();
  server = await serve(replica, '--offline');
  const offline = await install(client, join(folder, 'offline'), server.url);
  await server.stop();
  const runs = { cold, warm, offline };
  const seconds = Object.fromEntries(
    Object.entries({ direct: wanted, ...runs }).map(([run, { seconds }]) => [run, Number(seconds.toFixed(1))]),
  );
  const differences = Object.fromEntries(
    Object.entries(runs).map(([run, installed]) => [run, differencesOf(wanted, installed)]),
  );
  problems += Object.values(differences).filter((list) => list.length > 0).length;
  const packages = [...wanted.files.keys()].filter((path) =>
    /^(.*\/node_modules\/)?(@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path),
  );
  const result = {
    ...{ client: name, app: values.app, packages: packages.length, files: wanted.files.size },
    ...{
      integrities: wanted.integrities.size,
      seconds,
      coldToDirect: ratio(cold, wanted),
      warmToDirect: ratio(warm, wanted),
    },
    ...{ originRequests: asked, originRequestsWarm: again },
    differences: Object.fromEntries(Object.entries(differences).map(([run, list]) => [run, list.slice(0, 10)])),
  };
  if (values.json) console.log(JSON.stringify(result));
  else {
    console.log(
      `${name.padEnd(6)} ${packages.length} packages, ${wanted.files.size} files, ${wanted.integrities.size} integrities; seconds ${JSON.stringify(seconds)}; cold ${result.coldToDirect}, warm ${result.warmToDirect} of direct; origin asked ${asked} times cold, ${again} warm`,
    );
    for (const [run, list] of Object.entries(differences)) {
      for (const line of list.slice(0, 10)) console.log(`  ${run}: ${line}`);
    }
  }
}

function ratio(run: Installed, to: Installed): number {
  return Number((run.seconds / to.seconds).toFixed(2));
}

async function install(client: Client, project: string, registry: string): Promise<Installed> {
  const state = `${project}-state`;
  const home = `${project}-home`;
  for (const folder of [project, state, home]) mkdirSync(folder, { recursive: true });
  const place: Place = { project, state, registry };
  const manifest = { name: 'app', version: '1.0.0', private: true, license: 'MIT', dependencies: app };
  const files = { 'package.json': JSON.stringify(manifest, undefined, 2), ...client.files?.(place) };
  for (const [file, content] of Object.entries(files)) writeFileSync(join(project, file), content);
  const [command, ...args] = client.command(place) as [string, ...string[]];
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
  const lock = readFileSync(join(project, client.lockfile), 'utf8');
  return { seconds, files: digests(join(project, 'node_modules')), integrities: integritiesIn(lock) };
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

function differencesOf(wanted: Installed, got: Installed): string[] {
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

async function serve(cache: string, ...flags: string[]) {
  const args = ['node_modules/@_all_docs/cli/bin/_all_docs.js', 'serve', '--cache', cache, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [...args, '--json', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await listening(child);
  return {
    base,
    url: `${base}/npm/`,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

async function listening(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const event = JSON.parse(line) as { type: string; url: string };
    if (event.type === 'listening') return event.url.replace(/\/$/, '');
  }
  throw new Error('the server did not start');
}

/** Requests that the server made to the registry so far: for documents and for tarballs. */
async function originRequests(base: string): Promise<number> {
  const { counters } = (await (await fetch(`${base}/-/status.json`)).json()) as {
    counters: { originRequests: number; tarballs: { fetched: number; failed: number; mismatched: number } };
  };
  const { fetched, failed, mismatched } = counters.tarballs;
  return counters.originRequests + fetched + failed + mismatched;
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
