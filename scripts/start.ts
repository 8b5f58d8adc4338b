/**
 * The demonstration behind `npm start`: replicates the packuments of this project's own lockfile from the registry
 * that npm is configured with, proves what it stored, and says how to ask it.
 */
import { spawnSync } from 'node:child_process';
import { relative, resolve } from 'node:path';

const cache = resolve(process.env['ALL_DOCS_CACHE'] ?? '.all_docs');
const shown = relative('.', cache) || '.';

/** Runs the command as a user would, and ends with its exit code when it fails. */
function allDocs(...args: string[]): void {
  const { status, signal } = spawnSync('node_modules/.bin/_all_docs', [...args, '--cache', cache], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

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
  npx _all_docs status --cache ${shown}
Run npm start again: it revalidates what is there.`);
