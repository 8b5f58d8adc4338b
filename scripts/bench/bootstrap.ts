/**
 * CPU per packument of the shipped command beside what npm itself does (make-fetch-happen with `cachePath`), in one run:
 * interleaved rounds against the fake origin, whose CPU is not counted. Ratios are what counts; these are per round.
 *
 *   node scripts/bench/bootstrap.ts [--packages 2000] [--rounds 5] [--concurrency 10] [--seed 1]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

interface Usage {
  cpuMicros: number;
  maxRssKiB: number;
}

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    concurrency: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-'));
const namesFile = join(work, 'names');
const origin = spawn(
  process.execPath,
  ['test/fake-origin/main.ts', '--packages', values.packages, '--port', '0', '--seed', values.seed],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
try {
  const url = await listening(origin);
  const names = await (await fetch(`${url}/-/fake/names`)).text();
  // Names that a URL library would bend are left out for all alike: the peer could not ask for them.
  const asked = names
    .trimEnd()
    .split('\n')
    .filter((name) => !/(^|\/)\.+$/.test(name));
  writeFileSync(namesFile, `${asked.join('\n')}\n`);
  const variants: Record<string, (cache: string) => string[]> = {
    'make-fetch-happen': (cache) => [
      'scripts/bench/peers/make-fetch-happen.ts',
      url,
      cache,
      namesFile,
      values.concurrency,
    ],
    _all_docs: (cache) => [
      'node_modules/@_all_docs/cli/bin/_all_docs.js',
      'bootstrap',
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
      '--json',
    ],
  };
  const rounds: Record<string, Usage>[] = [];
  // The first round warms the origin's documents and is thrown away.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const usages: Record<string, Usage> = {};
    for (const [name, args] of Object.entries(variants))
      usages[name] = await measure(args(join(work, `${round}-${name}`)));
    if (round > 0) rounds.push(usages);
  }
  report(rounds, asked.length);
} finally {
  origin.kill('SIGTERM');
  rmSync(work, { recursive: true, force: true });
}

async function measure(args: string[]): Promise<Usage> {
  const usage = join(work, 'usage.json');
  const env = { ...process.env, BENCH_USAGE: usage, NODE_OPTIONS: `--import=${new URL('usage.mjs', import.meta.url)}` };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}`);
  return JSON.parse(readFileSync(usage, 'utf8'));
}

function report(rounds: Record<string, Usage>[], count: number): void {
  console.log(`${count} packuments, ${rounds.length} rounds, concurrency ${values.concurrency}; median [min-max]`);
  for (const name of Object.keys(rounds[0] ?? {})) {
    const cpu = spread(rounds.map((round) => (round[name]?.cpuMicros ?? 0) / count));
    const memory = spread(rounds.map((round) => (round[name]?.maxRssKiB ?? 0) / 1024));
    console.log(`  ${name.padEnd(18)} CPU per packument ${cpu} us, peak memory ${memory} MiB`);
  }
  const ratio = (pick: (usage: Usage) => number) =>
    spread(
      rounds.map((round) => pick(round['make-fetch-happen'] as Usage) / pick(round['_all_docs'] as Usage)),
      2,
    );
  console.log(
    `  make-fetch-happen : _all_docs   CPU ${ratio(({ cpuMicros }) => cpuMicros)}, memory ${ratio(({ maxRssKiB }) => maxRssKiB)}`,
  );
}

function spread(numbers: number[], digits = 0): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (i: number) => (sorted[i] ?? 0).toFixed(digits);
  return `${at(Math.floor(sorted.length / 2))} [${at(0)}-${at(sorted.length - 1)}]`;
}

async function listening(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream }))
    return JSON.parse(line).url;
  throw new Error('the fake origin did not start');
}
