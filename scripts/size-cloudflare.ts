/**
 * Prints what each module weighs in the worker that `wrangler deploy` would send: what is loaded at the start, then each
 * part that is loaded when it is needed first. Fails when the start is above the budget.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Metafile } from 'esbuild';
import { buildWorker } from '../workers/cloudflare/build.ts';

/** Bytes, minified, of an entry with all that it imports; what it loads later does not count. */
const BUDGETS = { worker: 40_000, 'worker-hyperdrive': 85_000 };

let over = 0;
for (const [entry, budget] of Object.entries(BUDGETS)) {
  const outdir = mkdtempSync(join(tmpdir(), 'all-docs-size-'));
  try {
    const { outputs } = await buildWorker({ entry, outdir });
    const atStart = importedBy(outputs, Object.keys(outputs).find((path) => basename(path) === 'worker.js') as string);
    const parts = Object.keys(outputs).filter((path) => !atStart.has(path));
    const weight = (paths: Iterable<string>) => {
      const code = Buffer.concat([...paths].map((path) => readFileSync(join(outdir, basename(path)))));
      return `${String(code.length).padStart(7)} bytes, gzip ${gzipSync(code).length}`;
    };
    print(outputs, atStart);
    const bytes = [...atStart].reduce((sum, path) => sum + (outputs[path]?.bytes ?? 0), 0);
    if (bytes > budget) over += 1;
    console.log(`${weight(atStart)}: ${entry} at the start (budget ${budget}${bytes > budget ? ', OVER' : ''})\n`);
    for (const part of parts) {
      print(outputs, [part]);
      console.log(`${weight([part])}: ${basename(part)}, when it is needed\n`);
    }
    console.log(`${weight(Object.keys(outputs))}: ${entry} in all\n`);
  } finally {
    rmSync(outdir, { recursive: true });
  }
}
process.exitCode = over > 0 ? 1 : 0;

/** An output, and those that it cannot run without. */
function importedBy(outputs: Metafile['outputs'], entry: string): Set<string> {
  const found = new Set([entry]);
  for (const path of found)
    for (const { path: next, kind, external } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && !external) found.add(next);
  return found;
}

/** What the modules in these outputs weigh, the heaviest first. */
function print(outputs: Metafile['outputs'], paths: Iterable<string>): void {
  const modules = [...paths].flatMap((path) => Object.entries(outputs[path]?.inputs ?? {}));
  const heavy = modules
    .map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const)
    .filter(([, bytes]) => bytes > 0);
  for (const [path, bytes] of heavy.sort(([, a], [, b]) => b - a)) console.log(`${String(bytes).padStart(7)}  ${path}`);
}
