// Sets up everything that the other scripts need, dependencies (a current Node among them) and the build, then runs
// the script that it is given in that Node. Needs nothing but Node 20 with npm; does nothing when nothing changed.
//
//   node scripts/setup.mjs [--for DIR] [SCRIPT [ARG…]]
//
// With --for, only what the package in that folder needs: the tools of the other hosts are large.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const members = ['packages', 'workers'].flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)));
const installedNode = join('node_modules', '.bin', process.platform === 'win32' ? 'node.exe' : 'node');

const manifests = () =>
  ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...members.map((dir) => join(dir, 'package.json'))].map(
    (file) => readFileSync(file),
  );
const scope = process.argv[2] === '--for' ? process.argv.splice(2, 2)[1] : undefined;
if (!done('installed', manifests)) {
  console.error('Installing dependencies …');
  const { packageManager } = JSON.parse(readFileSync('package.json', 'utf8'));
  const { name } = JSON.parse(readFileSync(join(scope ?? '.', 'package.json'), 'utf8'));
  // Cloudflare's tools are large, and only tests and deployments need them; what its code compiles against is the root's, too.
  const wanted = ['.', `${name}...`, '!@_all_docs/worker-cloudflare'];
  const filters = scope === undefined ? [] : wanted.flatMap((filter) => ['--filter', filter]);
  run('npx', [
    '-y',
    packageManager,
    'install',
    '--frozen-lockfile',
    '--reporter=append-only',
    '--loglevel=warn',
    ...filters,
  ]);
  stamp('installed', manifests);
}

const built = (scope === undefined ? members : [scope]).every((dir) => existsSync(join(dir, 'dist', 'index.js')));
if (!built || !done('built', sources)) {
  console.error('Building …');
  runNode('scripts/build.ts', ...(scope === undefined ? [] : [scope]));
  stamp('built', sources);
}

const [script, ...args] = process.argv.slice(2);
if (script) await runToEnd(script, ...args);

/** Runs in the installed Node, with the installed commands first on the path, whatever Node this is. */
function runNode(...args) {
  run(node(), args);
}

/** The same for a script that may run for long: it hears the signals that this process gets, and is waited for. */
async function runToEnd(...args) {
  const child = spawn(node(), args, { stdio: 'inherit', env: environment() });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const [code, signal] = await once(child, 'exit');
  process.exitCode = code ?? 128 + constants.signals[signal];
}

function node() {
  return existsSync(installedNode) ? resolve(installedNode) : process.execPath;
}

function environment() {
  return { ...process.env, PATH: [resolve('node_modules', '.bin'), process.env.PATH].join(delimiter) };
}

function run(command, args) {
  const shell = process.platform === 'win32' && command === 'npx';
  const { status, signal, error } = spawnSync(command, args, {
    stdio: 'inherit',
    shell,
    env: environment(),
  });
  if (error) console.error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

/** Whether this was done for the whole, or for what is wanted now, and nothing has changed since. */
function done(what, state) {
  const files = [stampOf(what), ...(scope === undefined ? [] : [stampOf(what, scope)])];
  return files.some((file) => existsSync(file) && readFileSync(file, 'utf8') === digest(state()));
}

function stamp(what, state) {
  writeFileSync(stampOf(what, scope), digest(state()));
}

function stampOf(what, dir) {
  return join('node_modules', `.all_docs-${what}${dir === undefined ? '' : `-${dir.replaceAll('/', '-')}`}`);
}

function digest(state) {
  const hash = createHash('sha256');
  for (const part of state) hash.update(part);
  return hash.digest('hex');
}

/** Whatever the build is made from: sources by path, size and time, settings by content. */
function* sources() {
  for (const dir of members) {
    for (const file of readdirSync(join(dir, 'src'), { recursive: true }).sort()) {
      const { size, mtimeMs } = statSync(join(dir, 'src', file));
      yield `${dir}/${file}:${size}:${mtimeMs}\n`;
    }
  }
  for (const file of [
    'tsup.config.ts',
    'tsconfig.base.json',
    'tsconfig.json',
    'scripts/build.ts',
    'scripts/members.ts',
    'pivots/npm.json',
  ])
    yield readFileSync(file);
}
