/**
 * The Cloudflare worker beside the least that could be written by hand, each in a workerd of its own with the same store, in
 * turns: requests a second for a document that is held (gzip, full), and how long a new isolate takes to its first answer
 * beside one of a Hono hello-world.
 *
 *   node scripts/bench/cloudflare.ts [--rounds 5] [--seconds 4] [--json]
 *
 * Needs `wrk`. Exits 1 when the worker is below 0.8 of the minimal one, or starts in more than twice Hono's time.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { startFakeOrigin } from '../../test/fake-origin/index.ts';
import { buildWorker } from '../../workers/cloudflare/build.ts';
import { spread } from './_measure.ts';

type Modules = Record<string, string>;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});

const WORKER = resolve('workers/cloudflare');
const DATE = '2026-11-01';
/** As the worker's configuration pins it, so that both run on one engine. */
const { Miniflare, convertV4MiniflareOptions } = createRequire(
  createRequire(join(WORKER, 'package.json')).resolve('wrangler/package.json'),
)('miniflare');

const MINIMAL = `export default {
  async fetch(request, env) {
    const { value, metadata } = await env.PACKUMENTS.getWithMetadata(new URL(request.url).pathname.slice(5), 'stream');
    if (!value) return new Response('{}', { status: 404 });
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', etag: metadata.etag, vary: 'Accept, Accept-Encoding' };
    if (request.headers.get('if-none-match') === metadata.etag) { await value.cancel(); return new Response(null, { status: 304, headers }); }
    return new Response(value, { headers, encodeBody: 'manual' });
  },
};`;
const HONO = `import { Hono } from 'hono'; const app = new Hono(); app.get('/', (c) => c.text('hello')); export default app;`;
/** Starts a new isolate for each request that it gets. */
const STARTER = `export default {
  async fetch(request, env) {
    const which = new URL(request.url).pathname.slice(1);
    const worker = env.LOADER.get(crypto.randomUUID(), () => ({ compatibilityDate: '${DATE}', mainModule: 'worker.js', modules: env[which] }));
    const from = performance.now();
    const answer = await worker.getEntrypoint().fetch('http://x/health');
    await answer.arrayBuffer();
    return new Response(String(performance.now() - from));
  },
};`;

const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-cloudflare-'));
const fake = await startFakeOrigin({ packages: 50, seed: 3 });
try {
  const ours = await bundleOurs();
  const throughput = await compareThroughput(ours);
  const start = await compareStart(ours, await bundleHono());
  const result = { throughput, start };
  if (values.json) console.log(JSON.stringify(result));
  else {
    const { bytes, ours: mine, minimal, ratio } = throughput;
    console.log(
      `a held document of ${bytes} bytes (gzip), requests a second: ours ${spread(mine)}, minimal ${spread(minimal)}, ratio ${spread(ratio, 2)}`,
    );
    console.log(
      `a new isolate to its first answer, ms: ours ${spread(start.ours, 1)}, Hono ${spread(start.hono, 1)}, ratio of the medians ${start.ratio.toFixed(2)}`,
    );
  }
  const isSlow = median(throughput.ratio) < 0.8 || start.ratio > 2;
  process.exitCode = isSlow ? 1 : 0;
} finally {
  await fake.close();
  rmSync(work, { recursive: true, force: true });
}

/** The modules that `wrangler deploy` sends, by name. */
async function bundleOurs(): Promise<Modules> {
  const outdir = join(work, 'ours');
  await buildWorker({ outdir });
  return Object.fromEntries(readdirSync(outdir).map((name) => [name, readFileSync(join(outdir, name), 'utf8')]));
}

async function bundleHono(): Promise<Modules> {
  const options = { contents: HONO, resolveDir: WORKER };
  const { outputFiles } = await build({
    stdin: options,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
  });
  return { 'worker.js': outputFiles[0]?.text ?? '' };
}

async function compareThroughput(modules: Modules) {
  const name = [...fake.names()].find((of) => /^[a-z]{4,}$/.test(of)) as string;
  const common = { compatibilityDate: DATE, kvNamespaces: ['PACKUMENTS'], cf: false };
  const names = Object.keys(modules).sort((a, b) => Number(b === 'worker.js') - Number(a === 'worker.js'));
  const ours = new Miniflare(
    convertV4MiniflareOptions({
      ...common,
      modulesRoot: work,
      modules: names.map((of) => ({ type: 'ESModule', path: join(work, of), contents: modules[of] })),
      r2Buckets: ['BLOBS'],
      durableObjects: {
        WORK_QUEUE: { className: 'WorkQueueObject', useSQLite: true },
        REPLICA: { className: 'ReplicaObject', useSQLite: true },
      },
      bindings: {
        REGISTRY: fake.url,
        ORIGIN: fake.url,
        TARBALL_HOST: 'origin',
        MAX_AGE_SECONDS: '86400',
        FOLLOW: 'off',
      },
    }),
  );
  const minimal = new Miniflare(convertV4MiniflareOptions({ ...common, modules: true, script: MINIMAL }));
  try {
    const urls = { ours: String(await ours.ready), minimal: String(await minimal.ready) };
    const text = JSON.stringify(fake.packument(name));
    const body = gzipSync(text);
    const kv = await minimal.getKVNamespace('PACKUMENTS');
    await kv.put(name, body, { metadata: { etag: '"a"' } });
    const figures = { ours: [] as number[], minimal: [] as number[], ratio: [] as number[] };
    for (const url of Object.values(urls)) {
      const { status } = await fetch(`${url}npm/${name}`);
      if (status !== 200) throw new Error(`${url}: ${status}`);
    }
    for (let round = 0; round < Number(values.rounds); round++) {
      const mine = load(`${urls.ours}npm/${name}`);
      const least = load(`${urls.minimal}npm/${name}`);
      figures.ours.push(mine);
      figures.minimal.push(least);
      figures.ratio.push(mine / least);
    }
    return { bytes: body.length, ...figures };
  } finally {
    await Promise.all([ours.dispose(), minimal.dispose()]);
  }
}

/** Requests a second. */
function load(url: string): number {
  const args = ['-t1', '-c16', `-d${values.seconds}s`, '-H', 'accept-encoding: gzip', '-H', 'user-agent: npm/12', url];
  const { stdout, status } = spawnSync('wrk', args, { encoding: 'utf8', timeout: 60_000 });
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
  if (status !== 0 || rate === undefined || /Non-2xx/.test(stdout)) throw new Error(`wrk failed: ${stdout}`);
  return Number(rate);
}

async function compareStart(ours: Modules, hono: Modules) {
  writeFileSync(join(work, 'starter.js'), STARTER);
  const starter = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: STARTER,
      compatibilityDate: DATE,
      workerLoaders: { LOADER: {} },
      bindings: { ours, hono },
      cf: false,
    }),
  );
  try {
    const url = String(await starter.ready);
    const figures = { ours: [] as number[], hono: [] as number[] };
    for (let round = 0; round < 40; round++) {
      for (const which of ['ours', 'hono'] as const) {
        const answer = await fetch(url + which);
        const text = await answer.text();
        if (!answer.ok) throw new Error(text);
        // The first few warm the engine up.
        if (round >= 5) figures[which].push(Number(text));
      }
    }
    return { ...figures, ratio: median(figures.ours) / median(figures.hono) };
  } finally {
    await starter.dispose();
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
