import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

/** The folder of the worker's package. */
export const WORKER = resolve(import.meta.dirname, '../../workers/fastly');

/** Compiles a module's source for the engine, as the package's own script does. Throws what the compiler said; also of promises that were rejected in the module's start, such as a warm-up that finds no hit. */
export function compile(source: string, wasm: string): void {
  const program = join(WORKER, 'node_modules/.bin/js-compute-runtime');
  const { status, stdout, stderr } = spawnSync(program, [source, wasm], { cwd: WORKER, encoding: 'utf8' });
  if (status !== 0 || /rejected but never handled/.test(stdout + stderr))
    throw new Error(`js-compute-runtime ${source} failed: ${stdout}${stderr}`);
}
