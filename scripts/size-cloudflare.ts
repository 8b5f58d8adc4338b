/**
 * Prints what each module weighs in the worker that `wrangler deploy` would send, minified, and what it comes to. Fails
 * above the budget.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const BUDGET = 40_000;
const WORKER = 'workers/cloudflare';

interface Metafile {
  outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
}

const dir = mkdtempSync(join(tmpdir(), 'all-docs-size-'));
try {
  const metafile = join(dir, 'meta.json');
  const args = ['deploy', '--dry-run', '--minify', '--outdir', join(dir, 'out'), '--metafile', metafile];
  const { status, stdout, stderr } = spawnSync(resolve(WORKER, 'node_modules/.bin/wrangler'), args, {
    cwd: WORKER,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_SEND_ERROR_REPORTS: 'false' },
  });
  if (status !== 0) throw new Error(`wrangler failed:\n${stdout}${stderr}`);
  const weights = weigh(JSON.parse(readFileSync(metafile, 'utf8')));
  for (const [module, bytes] of weights) console.log(`${String(bytes).padStart(7)}  ${module}`);
  const code = Buffer.concat(
    readdirSync(join(dir, 'out'))
      .filter((name) => name.endsWith('.js'))
      .map((name) => readFileSync(join(dir, 'out', name))),
  );
  const isOver = code.length > BUDGET;
  console.log(
    `${String(code.length).padStart(7)}  in all, gzip ${gzipSync(code).length} (budget ${BUDGET}${isOver ? ', OVER' : ''})`,
  );
  process.exitCode = isOver ? 1 : 0;
} finally {
  rmSync(dir, { recursive: true });
}

/** Bytes of each module in the output, the heaviest first. */
function weigh({ outputs }: Metafile): [module: string, bytes: number][] {
  return Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([module, { bytesInOutput }]): [string, number] => [
      module.replace(/^(\.\.\/)+/, '').replace(/^src\//, `${WORKER}/src/`),
      bytesInOutput,
    ])
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a);
}
