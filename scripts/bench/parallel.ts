/**
 * Many clients at once that want one document of 10 MB (as large as `typescript`'s): how long the last one waits, through
 * the shipped `serve` and through nginx's proxy_cache, in front of the same frozen registry. Cold: neither has it. Warm:
 * both do. Interleaved rounds; ratios are of one round; median [min-max].
 *
 *   node scripts/bench/parallel.ts [--clients 20] [--rounds 7]
 *
 * Needs `taskset` and `nginx`; says so where they are not installed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { spread } from './_measure.ts';
import { type BenchServer, end, firstLine, isInstalled, LOAD_CORE, pinned, startNginx, startOurs } from './_servers.ts';

const DOCUMENT = 'huge';
const FORMS = {
  full: 'application/json',
  abbreviated: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*',
};

const { values } = parseArgs({
  options: { clients: { type: 'string', default: '20' }, rounds: { type: 'string', default: '7' } },
});
const missing = ['taskset', 'nginx'].filter((program) => !isInstalled(program));
if (missing.length > 0) {
  console.log(`skipped: ${missing.join(' and ')} not installed`);
  process.exit(0);
}
const origin = pinned(LOAD_CORE, process.execPath, ['scripts/bench/_frozen-origin.ts']);
const seconds = new Map<string, number[]>();
try {
  const { url } = JSON.parse(await firstLine(origin));
  // The registry makes each answer once, for nobody's account.
  for (const accept of Object.values(FORMS)) await lastAnswer(`${url}/`, accept, 1);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const start of round % 2 === 0 ? [ours, nginx] : [nginx, ours]) await measure(start, url);
  }
} finally {
  await end(origin);
}
for (const form of Object.keys(FORMS)) {
  for (const state of ['cold', 'warm']) {
    const of = (name: string) => seconds.get(`${name} ${form} ${state}`) as number[];
    const [own, other] = [of('_all_docs'), of('nginx')];
    const ratio = spread(
      own.map((s, round) => s / (other[round] as number)),
      2,
    );
    const ms = (all: number[]) => spread(all.map((s) => s * 1000)).padStart(22);
    console.log(
      `${form.padEnd(12)} ${state}: the last of ${values.clients} after ${ms(own)} ms, nginx ${ms(other)} ms | ${ratio}`,
    );
  }
}

type Start = (registry: string, work: string) => Promise<BenchServer>;

function ours(registry: string, work: string): Promise<BenchServer> {
  return startOurs(registry, join(work, 'cache'));
}

async function nginx(registry: string, work: string): Promise<BenchServer> {
  mkdirSync(join(work, 'nginx'));
  return startNginx(registry, join(work, 'nginx'));
}

async function measure(start: Start, registry: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-parallel-'));
  const server = await start(registry, work);
  try {
    for (const [form, accept] of Object.entries(FORMS)) {
      for (const state of ['cold', 'warm']) {
        const key = `${server.name} ${form} ${state}`;
        seconds.set(key, [...(seconds.get(key) ?? []), await lastAnswer(server.url, accept, Number(values.clients))]);
      }
    }
  } finally {
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

/** Seconds until the last of the clients, each with a connection of its own, has the whole answer. */
async function lastAnswer(url: string, accept: string, clients: number): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(
    Array.from(
      { length: clients },
      () =>
        new Promise<void>((resolve, reject) => {
          const headers = { accept, 'accept-encoding': 'gzip' };
          get(url + DOCUMENT, { agent: new Agent(), headers }, (response) => {
            if (response.statusCode !== 200) reject(new Error(`${url}${DOCUMENT} answered ${response.statusCode}`));
            response.resume().on('end', resolve).on('error', reject);
          }).on('error', reject);
        }),
    ),
  );
  return (performance.now() - startedAt) / 1000;
}
