#!/usr/bin/env node
// The launcher: plain JavaScript that any Node understands. It runs the command in this process where this Node is
// new enough, else in the Node that was installed beside it.
import { existsSync } from 'node:fs';
import * as modules from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

/**
 * The heap stays small. A nursery that grows would be a third of the process and buys two percent of its time; a heap
 * that may quadruple between collections keeps 30 MiB of dead documents for a tenth of it.
 */
const HEAP_FLAGS = ['--semi-space-growth-factor=1', '--heap-growing-percent=100'];
const main = new URL('../dist/main.js', import.meta.url);

if (!existsSync(main)) {
  console.error(
    'error ERR_NOT_BUILT: the command is not built yet; run `npm start` or `pnpm build` at the repository first',
  );
  process.exit(1);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major >= 26 || (major === 24 && minor >= 15) || (major === 22 && minor >= 22)) {
  for (const flag of HEAP_FLAGS) setFlagsFromString(flag);
  // What was compiled once need not be compiled at every start.
  modules.enableCompileCache?.();
  await import(main);
} else {
  const node = installedNode();
  if (!node) {
    console.error(`error ERR_OLD_NODE: Node ${process.versions.node} is too old; use Node 22.22, 24.15 or newer`);
    process.exit(1);
  }
  await run(node);
}

function installedNode() {
  const { resolve } = modules.createRequire(import.meta.url);
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      return resolve(`${name}/bin/node`);
    } catch {
      // Not the package of this platform.
    }
  }
  return undefined;
}

async function run(node) {
  // Loaded where it is needed: it takes a tenth of the start.
  const { spawn } = await import('node:child_process');
  // The channel tells the child when this process is gone, however it went: nothing runs on behind the user's back.
  const child = spawn(node, [...HEAP_FLAGS, fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ALL_DOCS_LAUNCHED: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`error ERR_OLD_NODE: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else {
      process.exit(code ?? 1);
    }
  });
}
