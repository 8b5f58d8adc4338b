/**
 * The demonstration behind `npm start`: replicates the packuments of this project's own lockfile from the registry
 * that npm is configured with, proves what it stored, and says how to ask it. With `--serve` it goes on and serves them until
 * it is interrupted; further arguments are those of `serve`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const COMMAND = resolve('node_modules/.bin/_all_docs');
const cache = resolve(process.env['ALL_DOCS_CACHE'] ?? '.all_docs');
const shown = relative('.', cache) || '.';
const serving = process.argv.includes('--serve');

console.log(`Replicating the packages of pnpm-lock.yaml into ${shown}\n`);
// A few hundred documents, once: livelier than the default pace, which is made for millions.
allDocs('bootstrap', '--lockfile', 'pnpm-lock.yaml', '--concurrency', '16', '--rate', '100');
console.log('\nReading everything back: digest, checksum, JSON, name');
allDocs('packument', 'verify');
console.log(`
The replica lies in ${shown}. Ask it:
  npx _all_docs packument show undici --cache ${shown}
  npx _all_docs cache ls v1:packument: --cache ${shown}
  npx _all_docs cache stats --cache ${shown}
  npx _all_docs status --cache ${shown}`);
if (serving) await serve(process.argv.slice(2).filter((argument) => argument !== '--serve'));
else {
  console.log(`Serve it to npm, pnpm, yarn and bun:
  npx _all_docs serve --cache ${shown}
Run npm start again: it revalidates what is there.`);
}

/** Runs the command as a user would, and ends with its exit code when it fails. */
function allDocs(...args: string[]): void {
  const { status, signal } = spawnSync(COMMAND, [...args, '--cache', cache], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

/** Serves until it is told to end, and ends as the command does. */
async function serve(args: string[]): Promise<void> {
  const child = spawn(COMMAND, ['serve', '--json', '--cache', cache, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { type, url, publicUrl = url } = JSON.parse(line);
    if (type === 'listening') tellHow(`${publicUrl.replace(/\/+$/, '')}/npm/`);
  });
  const [code, signal] = await once(child, 'exit');
  process.exitCode = code ?? 128 + constants.signals[signal as NodeJS.Signals];
}

function tellHow(url: string): void {
  const [use, unuse] = [`${COMMAND} use`, `${COMMAND} unuse`];
  const lines = ['npm', 'pnpm', 'yarn1', 'yarn4', 'bun'].flatMap((client) => [
    `  ${client.padEnd(6)} ${use} ${client} --url ${url}`,
    `    undo ${unuse} ${client}`,
  ]);
  console.log(`
Serving at ${url} until you press Ctrl-C. Try it once:
  npm install express --registry ${url}
Or let a project's package manager install from here; run this in the project:
${lines.join('\n')}`);
}
