/**
 * CPU and memory of a listing at full size: `_all_docs bootstrap --depth names` with its default options beside a process
 * that asks for the same pages, unpacks and parses them, and keeps nothing (`list-peer.ts`). Interleaved rounds against
 * the fake origin, whose CPU and memory are not counted. After each round the replica must hold every name, and
 * `partition verify` must prove it.
 *
 *   node scripts/bench/listing.ts [--names 1000000] [--rounds 3] [--seed 1] [--store cacache]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, spread, startOrigin, type Usage } from './_measure.ts';

interface Round {
  ours: Usage;
  peer: Usage;
  verify: Usage;
}

const CLI = 'node_modules/@_all_docs/cli/bin/_all_docs.js';

const { values } = parseArgs({
  options: {
    names: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    store: { type: 'string', default: 'cacache' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-'));
const origin = await startOrigin('--packages', values.names, '--seed', values.seed);
try {
  const { doc_count: count } = (await (await fetch(origin.url)).json()) as { doc_count: number };
  const rounds: Round[] = [];
  // The first round warms the origin and is thrown away.
  for (let number = 0; number <= Number(values.rounds); number++) {
    const round = await play(join(work, String(number)), count);
    if (number > 0) rounds.push(round);
  }
  report(rounds, count);
} finally {
  origin.stop();
  rmSync(work, { recursive: true, force: true });
}

async function play(cache: string, count: number): Promise<Round> {
  const where = ['--registry', origin.url, '--origin', origin.url, '--cache', cache];
  const ours = await measure([CLI, 'bootstrap', '--depth', 'names', '--rate', '0', '--json', ...stored(), ...where]);
  // An exit code other than 0 is an error already: the proof holds, once in the run and once from what is stored.
  const verify = await measure([CLI, 'partition', 'verify', '--json', ...where]);
  const peer = await measure(['scripts/bench/list-peer.ts', origin.url]);
  const kept = [lastEvent(ours.stdout)['names'], lastEvent(verify.stdout)['rows'], lastEvent(peer.stdout)['rows']];
  if (kept.some((rows) => rows !== count)) throw new Error(`of ${count} names were kept, proved, read: ${kept}`);
  rmSync(cache, { recursive: true, force: true });
  return { ours, peer, verify };
}

function stored(): string[] {
  return values.store === 'cacache' ? [] : ['--store', values.store];
}

function lastEvent(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}');
}

function report(rounds: Round[], count: number): void {
  console.log(`${count} names, ${rounds.length} rounds; every row kept and proved in each; median [min-max]`);
  console.log('CPU us per row | peak MiB | CPU of this : gunzip + JSON.parse');
  for (const name of ['peer', 'ours', 'verify'] as const) {
    const cpu = spread(
      rounds.map((round) => round[name].cpuMicros / count),
      2,
    );
    const memory = spread(rounds.map((round) => round[name].maxRssKiB / 1024));
    const ratio = spread(
      rounds.map((round) => round[name].cpuMicros / round.peer.cpuMicros),
      2,
    );
    console.log(`  ${name.padEnd(8)} ${cpu} | ${memory} | ${ratio}`);
  }
}
