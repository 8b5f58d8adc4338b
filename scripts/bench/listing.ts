/**
 * CPU and memory of a listing at full size: `_all_docs bootstrap --depth names` with its default options beside a process
 * that asks for the same pages, unpacks and parses them, and keeps nothing (`list-peer.ts`). Interleaved rounds against
 * the fake origin, whose CPU and memory are not counted; a first round that warms it is thrown away. Each round runs:
 *
 *   peer     gunzip + JSON.parse of all pages, one after another
 *   first    a first pass into an empty cache: one chain of pages
 *   again    a second pass into the same cache, cut as the first one taught: several chains side by side
 *   verify   `partition verify`: the proof again, from what is stored
 *
 * Of each: CPU per row, peak resident memory, how many times the peer's CPU of the same round, and the requests. A round
 * counts only when every row was kept (the number of names in all four) and both proofs hold; else this fails.
 *
 *   node scripts/bench/listing.ts [--names 1000000] [--rounds 3] [--seed 1] [--store cacache|sqlite]
 *
 * The whole registry is `--names 4600000`: about two minutes a round on an idle machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, spread, startOrigin, type Usage } from './_measure.ts';

const CLI = 'node_modules/@_all_docs/cli/bin/_all_docs.js';
const VARIANTS = ['peer', 'first', 'again', 'verify'] as const;

interface Sample extends Usage {
  rows: number;
  requests: number | undefined;
}

type Round = Record<(typeof VARIANTS)[number], Sample>;

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
  for (let number = 0; number <= Number(values.rounds); number++) {
    const round = await play(join(work, String(number)));
    for (const variant of VARIANTS)
      if (round[variant].rows !== count) throw new Error(`${variant}: ${round[variant].rows} of ${count} rows`);
    if (number > 0) rounds.push(round);
  }
  report(rounds, count);
} finally {
  origin.stop();
  rmSync(work, { recursive: true, force: true });
}

async function play(cache: string): Promise<Round> {
  const where = ['--registry', origin.url, '--origin', origin.url, '--cache', cache, '--json'];
  const list = ['bootstrap', '--depth', 'names', '--rate', '0', '--store', values.store, ...where];
  const round = {
    peer: await sample(['scripts/bench/list-peer.ts', origin.url]),
    first: await sample([CLI, ...list]),
    again: await sample([CLI, ...list]),
    verify: await sample([CLI, 'partition', 'verify', ...where]),
  };
  rmSync(cache, { recursive: true, force: true });
  return round;
}

/** Runs a process, which must exit with 0 (the proof holds), and reads from its last line how many rows it saw. */
async function sample(args: string[]): Promise<Sample> {
  const { stdout, ...usage } = await measure(args);
  const said = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}');
  return { ...usage, rows: said.rows ?? said.names, requests: said.requests };
}

function report(rounds: Round[], count: number): void {
  console.log(`${count} names, ${rounds.length} rounds; every row kept, every proof held; median [min-max]`);
  console.log('CPU us per row | peak MiB | CPU of this : peer | requests');
  for (const variant of VARIANTS) {
    const each = (number: (sample: Sample, peer: Sample) => number, digits: number) =>
      spread(
        rounds.map((round) => number(round[variant], round.peer)),
        digits,
      );
    const cpu = each(({ cpuMicros }) => cpuMicros / count, 2);
    const memory = each(({ maxRssKiB }) => maxRssKiB / 1024, 0);
    const ratio = each(({ cpuMicros }, peer) => cpuMicros / peer.cpuMicros, 2);
    console.log(`  ${variant.padEnd(8)} ${cpu} | ${memory} | ${ratio} | ${rounds[0]?.[variant].requests ?? '-'}`);
  }
}
