import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The folder of the worker's package. */
export const WORKER = resolve(import.meta.dirname, '../../workers/fastly');

/**
 * Compiles a module's source for the engine, as the package's own script does, but in a folder of its own: the compiler
 * puts a file where it is started, which is in the way of another one. Throws what the compiler said; also of promises that
 * were rejected in the module's start, such as a warm-up that finds no hit.
 */
export function compile(source: string, wasm: string): void {
  const program = join(WORKER, 'node_modules/.bin/js-compute-runtime');
  const cwd = mkdtempSync(join(tmpdir(), 'all-docs-compiler-'));
  const { status, stdout, stderr } = spawnSync(program, [resolve(WORKER, source), wasm], { cwd, encoding: 'utf8' });
  rmSync(cwd, { recursive: true });
  if (status === 0 && !/rejected but never handled/.test(stdout + stderr)) return;
  throw new Error(`js-compute-runtime ${source} failed: ${stdout}${stderr}`);
}
