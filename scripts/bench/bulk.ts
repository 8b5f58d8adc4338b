/**
 * A replica of a replica, in bulk and packument by packument, in one run: interleaved rounds against a served replica. What
 * the client and the server use from the first request to the last is counted, threads included; only ratios within a round
 * say something.
 *
 *   node scripts/bench/bulk.ts [--packages 100000] [--rounds 3] [--concurrency 10] [--seed 1] [--store sqlite]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { measure, spread, startOrigin } from './_measure.ts';

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    store: { type: 'string', default: 'sqlite' },
  },
});
const BIN = 'node_modules/@_all_docs/cli/bin/_all_docs.js';
const WAYS = ['bulk', 'one by one'];

interface Round {
  seconds: number;
  clientMicros: number;
  serverMicros: number;
  maxRssKiB: number;
  requests: number;
}

const work = mkdtempSync(join(tmpdir(), 'all-docs-bulk-'));
const bootstrap = (origin: string, registry: string, cache: string) => [
  ...[BIN, 'bootstrap', '--json', '--origin', origin, '--registry', registry, '--cache', cache],
  ...['--rate', '0', '--concurrency', values.concurrency, '--store', values.store],
];
const fake = await startOrigin('--packages', values.packages, '--seed', values.seed);
let server: ChildProcess | undefined;
try {
  const first = join(work, 'first');
  await measure(bootstrap(fake.url, fake.url, first));
  fake.stop();
  const served = await serve(first, fake.url);
  server = served.child;
  const rounds: Record<string, Round>[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const done: Record<string, Round> = {};
    for (const way of WAYS) {
      const cache = join(work, `${round}-${way.replaceAll(' ', '-')}`);
      // The way without bulk gets the documents from the same server under another name, which nothing tells to be the origin's.
      const registry = way === 'bulk' ? served.url : served.url.replace('127.0.0.1', 'localhost');
      const before = cpuOf(served.child);
      const startedAt = performance.now();
      const { cpuMicros, maxRssKiB, stdout } = await measure(bootstrap(served.url, `${registry}/npm/`, cache));
      const seconds = (performance.now() - startedAt) / 1000;
      const requests = Number(/"requests":(\d+)[^\n]*\n*$/.exec(stdout.trimEnd())?.[1]);
      done[way] = { seconds, clientMicros: cpuMicros, serverMicros: cpuOf(served.child) - before, maxRssKiB, requests };
      rmSync(cache, { recursive: true, force: true });
    }
    rounds.push(done);
    console.error(JSON.stringify(done));
  }
  report(rounds);
} finally {
  fake.stop();
  server?.kill('SIGTERM');
  rmSync(work, { recursive: true, force: true });
}

async function serve(cache: string, registry: string): Promise<{ url: string; child: ChildProcess }> {
  const args = [
    BIN,
    'serve',
    '--json',
    '--listen',
    '127.0.0.1:0',
    '--offline',
    '--cache',
    cache,
    '--registry',
    registry,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream }))
    return { url: JSON.parse(line).url, child };
  await once(child, 'exit');
  throw new Error('the replica is not served');
}

/** What a process has used so far, from Linux's own books: ticks of a hundredth of a second. */
function cpuOf({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function report(rounds: Record<string, Round>[]): void {
  const of = (way: string, what: (round: Round) => number, digits = 0) =>
    spread(
      rounds.map((round) => what(round[way] as Round)),
      digits,
    );
  console.log(`${values.packages} packages, ${rounds.length} rounds, store ${values.store}; median [min-max]`);
  for (const way of WAYS) {
    const count = Number(values.packages);
    console.log(
      `  ${way.padEnd(12)} ${of(way, ({ seconds }) => seconds, 1)} s | client ${of(way, ({ clientMicros }) => clientMicros / count)} us a packument, ${of(way, ({ maxRssKiB }) => maxRssKiB / 1024)} MiB | server ${of(way, ({ serverMicros }) => serverMicros / count)} us | ${of(way, ({ requests }) => requests)} requests`,
    );
  }
  const ratio = (what: (round: Round) => number) =>
    spread(
      rounds.map((round) => what(round['one by one'] as Round) / what(round['bulk'] as Round)),
      1,
    );
  console.log(
    `  one by one : bulk   wall ${ratio(({ seconds }) => seconds)}, CPU of the client ${ratio(({ clientMicros }) => clientMicros)}, of the server ${ratio(({ serverMicros }) => serverMicros)}`,
  );
}
