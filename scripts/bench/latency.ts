/**
 * Packuments a second that one process takes from an origin whose every answer comes late: the shipped command without
 * throttling (`--rate 0`), by concurrency, beside what that latency allows at most. Need: 1,000 a second at 50 ms.
 * Wall time of the whole command, start and end included; the origin shares the machine.
 *
 *   node scripts/bench/latency.ts [--packages 5000] [--latency 50] [--rounds 3] [--concurrency 10,64,100,200]
 *     [--sizes long-tail|small] [--seed 1] [-- --store sqlite …]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, spread, startOrigin } from './_measure.ts';

/** What the command does unless told. */
const DEFAULT = '10';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packages: { type: 'string', default: '5000' },
    latency: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '10,64,100,200' },
    sizes: { type: 'string', default: 'long-tail' },
    seed: { type: 'string', default: '1' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'all-docs-latency-'));
const namesFile = join(work, 'names');
const { packages, seed, sizes, latency } = values;
const origin = await startOrigin('--packages', packages, '--seed', seed, '--sizes', sizes, '--latency', latency);
try {
  const names = await (await fetch(`${origin.url}/-/fake/names`)).text();
  writeFileSync(namesFile, names);
  const count = names.trimEnd().split('\n').length;
  const widths = values.concurrency.split(',');
  const runs = new Map(widths.map((width) => [width, { rates: [] as number[], cpu: [] as number[] }]));
  // The first round warms the origin's documents, with the widest, and is thrown away.
  await bootstrap(widths.at(-1) ?? DEFAULT);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [width, { rates, cpu }] of runs) {
      const { seconds, cpuMicros } = await bootstrap(width);
      rates.push(count / seconds);
      cpu.push(cpuMicros / count);
    }
  }
  console.log(`${count} packuments, ${latency} ms before each answer, ${values.rounds} rounds; median [min-max]`);
  console.log('concurrency | packuments a second | most that the latency allows | CPU us per packument');
  for (const [width, { rates, cpu }] of runs) {
    const most = Math.round((Number(width) * 1000) / Number(latency));
    console.log(
      `${width.padStart(5)}${width === DEFAULT ? ' (default)' : ''} | ${spread(rates)} | ${most} | ${spread(cpu)}`,
    );
  }
} finally {
  origin.stop();
  rmSync(work, { recursive: true, force: true });
}

async function bootstrap(concurrency: string): Promise<{ seconds: number; cpuMicros: number }> {
  const cache = mkdtempSync(join(work, 'cache-'));
  const began = performance.now();
  const { cpuMicros } = await measure([
    'node_modules/@_all_docs/cli/bin/_all_docs.js',
    ...['bootstrap', '--names', namesFile, '--registry', origin.url, '--cache', cache, '--rate', '0'],
    ...(concurrency === DEFAULT ? [] : ['--concurrency', concurrency]),
    ...positionals,
  ]);
  const seconds = (performance.now() - began) / 1000;
  rmSync(cache, { recursive: true, force: true });
  return { seconds, cpuMicros };
}
