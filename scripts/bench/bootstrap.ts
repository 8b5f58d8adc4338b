/**
 * CPU per packument of the shipped command beside what people would use instead, in one run: interleaved rounds against
 * the fake origin, whose CPU is not counted. Only ratios within a round say something; median and min-max are of those.
 *
 *   node scripts/bench/bootstrap.ts [--packages 2000] [--rounds 5] [--concurrency 10] [--seed 1] [--only NAME,NAME]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, spread, startOrigin, type Usage } from './_measure.ts';

/** What npm itself does, and what no client can beat by much. */
const PEER = 'make-fetch-happen';
const LIMIT = 'undici-discard';

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    concurrency: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-'));
const namesFile = join(work, 'names');
const origin = await startOrigin('--packages', values.packages, '--seed', values.seed);
try {
  const { url } = origin;
  const names = await (await fetch(`${url}/-/fake/names`)).text();
  // Old names that the peers' own rules refuse are left out for all alike.
  const valid = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/;
  const asked = names
    .trimEnd()
    .split('\n')
    .filter((name) => valid.test(name) && name !== 'node_modules' && name !== 'favicon.ico');
  writeFileSync(namesFile, `${asked.join('\n')}\n`);
  const peer = (name: string) => (cache: string) => [
    `scripts/bench/peers/${name}.ts`,
    url,
    cache,
    namesFile,
    values.concurrency,
  ];
  const ours =
    (...flags: string[]) =>
    (cache: string) => [
      'node_modules/@_all_docs/cli/bin/_all_docs.js',
      'bootstrap',
      ...[
        '--names',
        namesFile,
        '--registry',
        url,
        '--cache',
        cache,
        '--rate',
        '0',
        '--concurrency',
        values.concurrency,
      ],
      ...flags,
    ];
  const all: Record<string, (cache: string) => string[]> = {
    [PEER]: peer(PEER),
    pacote: peer('pacote'),
    'reference-style': peer('reference-style'),
    [LIMIT]: peer(LIMIT),
    '_all_docs cacache': ours(),
    '_all_docs sqlite': ours('--store', 'sqlite'),
    '_all_docs sqlite length': ours('--store', 'sqlite', '--check', 'length'),
  };
  const only = values.only?.split(',');
  const variants = Object.fromEntries(Object.entries(all).filter(([name]) => only?.includes(name) ?? true));
  const rounds: Record<string, Usage>[] = [];
  // The first round warms the origin's documents and is thrown away.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const usages: Record<string, Usage> = {};
    for (const [name, args] of Object.entries(variants)) {
      const cache = join(work, `${round}-${name}`);
      usages[name] = await measure(args(cache));
      rmSync(cache, { recursive: true, force: true });
    }
    if (round > 0) rounds.push(usages);
  }
  report(rounds, asked.length);
} finally {
  origin.stop();
  rmSync(work, { recursive: true, force: true });
}

function report(rounds: Record<string, Usage>[], count: number): void {
  console.log(`${count} packuments, ${rounds.length} rounds, concurrency ${values.concurrency}; median [min-max]`);
  console.log('CPU us per packument | peak MiB | CPU of make-fetch-happen : this | CPU of undici-discard : this');
  for (const name of Object.keys(rounds[0] ?? {})) {
    const of = (round: Record<string, Usage>, variant: string) => round[variant]?.cpuMicros ?? Number.NaN;
    const cpu = spread(rounds.map((round) => of(round, name) / count));
    const memory = spread(rounds.map((round) => (round[name]?.maxRssKiB ?? 0) / 1024));
    const toPeer = spread(
      rounds.map((round) => of(round, PEER) / of(round, name)),
      2,
    );
    const toLimit = spread(
      rounds.map((round) => of(round, LIMIT) / of(round, name)),
      2,
    );
    console.log(`  ${name.padEnd(24)} ${cpu} | ${memory} | ${toPeer} | ${toLimit}`);
  }
}
