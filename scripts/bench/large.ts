/**
 * What one packument of 100 MB adds to the peak memory of a bootstrap: the shipped command over small packuments, with
 * and without a large one among them, for each store, check and coding of the large body. Need: 64 MiB at most.
 * Resident set sizes, as the system counts them for the whole process; the difference is taken within a round, and only
 * that says something.
 *
 *   node scripts/bench/large.ts [--packages 1000] [--megabytes 100] [--rounds 3] [--seed 1]
 *     [--stores cacache,sqlite] [--checks crc,length] [--codings gzip,identity]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, spread, startOrigin } from './_measure.ts';

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '1000' },
    megabytes: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    stores: { type: 'string', default: 'cacache,sqlite' },
    checks: { type: 'string', default: 'crc,length' },
    codings: { type: 'string', default: 'gzip,identity' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'all-docs-large-'));
const namesFile = join(work, 'names');
const origin = await startOrigin('--packages', values.packages, '--seed', values.seed, '--sizes', 'small');
try {
  const names = await (await fetch(`${origin.url}/-/fake/names`)).text();
  writeFileSync(namesFile, names);
  const list = names.trimEnd().split('\n');
  // In the middle, so that work goes on beside it and after it.
  const large = list.slice(list.length >> 1).find((name) => /^[a-z0-9-]+$/.test(name)) ?? '';
  console.log(
    `${list.length} small packuments, one of ${values.megabytes} MB; ${values.rounds} rounds; median [min-max]`,
  );
  console.log('store check coding | peak MiB without | peak MiB with | MiB more | CPU ms more');
  for (const store of values.stores.split(','))
    for (const check of values.checks.split(','))
      for (const coding of values.codings.split(',')) await compare(store, check, coding, large);
} finally {
  origin.stop();
  rmSync(work, { recursive: true, force: true });
}

async function compare(store: string, check: string, coding: string, large: string): Promise<void> {
  const rule = {
    fault: 'huge',
    path: `^/${large}$`,
    bytes: Number(values.megabytes) * 1e6,
    plain: coding === 'identity',
  };
  const [without, having, more, cpu]: number[][] = [[], [], [], []];
  for (let round = 0; round < Number(values.rounds); round++) {
    const small = await bootstrap(store, check, []);
    const big = await bootstrap(store, check, [rule]);
    without?.push(small.maxRssKiB / 1024);
    having?.push(big.maxRssKiB / 1024);
    more?.push((big.maxRssKiB - small.maxRssKiB) / 1024);
    cpu?.push((big.cpuMicros - small.cpuMicros) / 1000);
  }
  const columns = [without, having, more, cpu].map((numbers) => spread(numbers ?? []));
  console.log(`${[store, check, coding].join(' ').padEnd(24)} | ${columns.join(' | ')}`);
}

async function bootstrap(store: string, check: string, rules: object[]) {
  await fetch(`${origin.url}/-/fake/faults`, { method: 'POST', body: JSON.stringify(rules) });
  const cache = mkdtempSync(join(work, 'cache-'));
  try {
    return await measure([
      'node_modules/@_all_docs/cli/bin/_all_docs.js',
      ...['bootstrap', '--names', namesFile, '--registry', origin.url, '--cache', cache, '--rate', '0'],
      ...['--store', store, '--check', check],
    ]);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}
