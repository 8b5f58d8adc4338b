/**
 * From the start of the process to the first answer: the shipped `serve` on a cache of few and of many packages, beside a
 * `node:http` server that has nothing to do. Interleaved rounds; ratios are of one round; median [min-max].
 *
 *   node scripts/bench/serve-start.ts [--packages 100000] [--rounds 9] [--store sqlite]
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { spread, startOrigin } from './_measure.ts';

const BIN = 'node_modules/@_all_docs/cli/bin/_all_docs.js';
const EMPTY = 'empty node:http server';

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '9' },
    store: { type: 'string', default: 'sqlite' },
  },
});
const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-start-'));
const origin = await startOrigin('--packages', values.packages, '--sizes', 'small');
try {
  const names = (await (await fetch(`${origin.url}/-/fake/names`)).text()).split('\n');
  const name = names.find((each) => /^[a-z]{3,}$/.test(each)) as string;
  const few = bootstrap('few', '--start', name, '--end', `${name}~`);
  const many = bootstrap('many');
  const port = await freePort();
  const serve = (cache: string) => [
    BIN,
    'serve',
    '--cache',
    cache,
    '--registry',
    origin.url,
    '--listen',
    `127.0.0.1:${port}`,
  ];
  const empty = `require('node:http').createServer((_, r) => r.end('x')).listen(${port}, '127.0.0.1')`;
  const variants: [title: string, args: string[], path: string][] = [
    [EMPTY, ['-e', empty], '/'],
    ['serve, few packages, /livez', serve(few), '/livez'],
    ['serve, few packages, a document', serve(few), `/npm/${name}`],
    [`serve, ${values.packages} packages, /livez`, serve(many), '/livez'],
    [`serve, ${values.packages} packages, a document`, serve(many), `/npm/${name}`],
  ];
  const times = new Map<string, number[]>(variants.map(([title]) => [title, []]));
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [title, args, path] of variants) {
      const ms = await firstAnswer(args, `http://127.0.0.1:${port}${path}`);
      if (round > 0) times.get(title)?.push(ms);
    }
  }
  for (const [title, all] of times) {
    const ratio = all.map((ms, round) => ms / (times.get(EMPTY)?.[round] as number));
    console.log(`${title.padEnd(40)} ${spread(all).padStart(16)} ms | ${spread(ratio, 2)} of the empty server's`);
  }
} finally {
  origin.stop();
  rmSync(work, { recursive: true, force: true });
}

function bootstrap(title: string, ...selection: string[]): string {
  const cache = join(work, title);
  const at = ['--origin', origin.url, '--registry', origin.url, '--cache', cache, '--store', values.store];
  const args = [BIN, 'bootstrap', ...at, '--rate', '0', '--concurrency', '64', '--check', 'length', ...selection];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`bootstrap ended with ${status}`);
  return cache;
}

/** Milliseconds from the start of the process to the end of its first answer. */
async function firstAnswer(args: string[], url: string): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  while (!(await answers(url))) await new Promise((resolve) => setTimeout(resolve, 1));
  const ms = performance.now() - startedAt;
  // As a user ends it: what was compiled is kept for the next start then.
  child.kill('SIGTERM');
  await ended;
  return ms;
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false, headers: { 'accept-encoding': 'gzip' } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    }).on('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
