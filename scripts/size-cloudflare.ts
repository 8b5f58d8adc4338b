/**
 * Prints what each module weighs in the worker that `wrangler deploy` would send: what is loaded at the start, then each
 * part that is loaded when it is needed first. Fails when the start, or all of it, is above its budget.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Metafile } from 'esbuild';
import { buildWorker } from '../workers/cloudflare/build.ts';

/**
 * Bytes, minified, of an entry with all that it imports, and with what it loads later; 2 % above what they are. The
 * design's 40,000 hold for the start, of which npm's protocol for what is held takes 17,000, bindings and stores 11,000, keys
 * and entries 4,500. They do not hold for all of it: what asks the registry takes 18,500 more (sources, forms, tarballs,
 * search, advisories), listing, feed and work 28,000, what both ask with 5,000. Of Hyperdrive's the client takes 41,000.
 */
const BUDGETS = { worker: { start: 35_700, all: 88_200 }, 'worker-hyperdrive': { start: 46_500, all: 150_700 } };

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
    const bytes = bytesOf(outputs, atStart);
    console.log(`${weight(atStart)}: ${entry} at the start${against(bytes, budget.start)}\n`);
    for (const part of parts) {
      print(outputs, [part]);
      console.log(`${weight([part])}: ${basename(part)}, when it is needed\n`);
    }
    const all = bytesOf(outputs, Object.keys(outputs));
    console.log(`${weight(Object.keys(outputs))}: ${entry} in all${against(all, budget.all)}\n`);
  } finally {
    rmSync(outdir, { recursive: true });
  }
}
process.exitCode = over > 0 ? 1 : 0;

function bytesOf(outputs: Metafile['outputs'], paths: Iterable<string>): number {
  return [...paths].reduce((sum, path) => sum + (outputs[path]?.bytes ?? 0), 0);
}

/** What is said of a budget; more than that is counted. */
function against(bytes: number, budget: number): string {
  if (bytes > budget) over += 1;
  return ` (budget ${budget}${bytes > budget ? ', OVER' : ''})`;
}

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
