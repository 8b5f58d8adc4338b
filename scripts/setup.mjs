// Sets up everything that the other scripts need: dependencies (a current Node among them) and the build.
// Runs on any Node from 20 with npm beside it, with nothing installed; does nothing when nothing changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
process.chdir(root);

const manifests = [
  'package.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  ...members().map((dir) => join(dir, 'package.json')),
];
step(
  'node_modules/.all_docs-installed',
  manifests.map((file) => readFileSync(file)),
  'Installing dependencies',
  install,
);
step('node_modules/.all_docs-built', [...sources()], 'Building', build);

/** Runs `work` unless the stamp says that it was done for this very state. */
function step(stamp, state, title, work) {
  const hash = createHash('sha256');
  for (const part of state) hash.update(part);
  const digest = hash.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  console.error(`${title} …`);
  work();
  writeFileSync(stamp, digest);
}

function install() {
  const { packageManager } = JSON.parse(readFileSync('package.json', 'utf8'));
  run('npx', ['-y', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn']);
}

function build() {
  const node = join('node_modules', '.bin', 'node');
  run(existsSync(node) ? node : process.execPath, ['scripts/build.ts']);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (error) console.error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function members() {
  return ['packages', 'workers'].flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)));
}

/** Whatever the build is made from, by path, size and time; and that its results are there. */
function* sources() {
  for (const dir of members()) {
    yield String(existsSync(join(dir, 'dist', 'index.js')));
    for (const file of readdirSync(join(dir, 'src'), { recursive: true }).sort()) {
      const { size, mtimeMs } = statSync(join(dir, 'src', file));
      yield `${dir}/${file}:${size}:${mtimeMs}\n`;
    }
  }
  for (const file of ['tsup.config.ts', 'tsconfig.base.json', 'tsconfig.json', 'scripts/build.ts'])
    yield readFileSync(file);
}
