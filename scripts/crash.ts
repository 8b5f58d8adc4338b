/**
 * Kills bootstraps with SIGKILL at random moments and proves that nothing was lost. Each replica is killed a few times,
 * then finished; whatever was committed must still be there, and no more than what was in flight may be fetched twice.
 *
 *   node scripts/crash.ts [--kills 50] [--packages 5000] [--seed 1] [--kills-per-run 10] [--share 0.04]
 *     [--store cacache|sqlite] [--durability process|power]
 *
 * Both kinds of store get their half of the kills unless one kind is asked for. The shipped command runs as a process of its own
 * against the fake origin, also a process, with faults in its answers. What a replica holds is judged by the command, too:
 * `cache ls` lists it, `packument verify` reads every body, `partition verify` proves the coverage.
 * Prints a line for each finished replica and one of totals; exits 1 when anything is missing, damaged or fetched too often.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { mulberry32 } from './crash-states/random.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    packages: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    'kills-per-run': { type: 'string', default: '10' },
    share: { type: 'string', default: '0.04' },
    store: { type: 'string' },
    durability: { type: 'string', default: 'process' },
  },
});
/** The kinds that the kills are shared among. */
const stores = values.store === undefined ? ['cacache', 'sqlite'] : [values.store];
const [kills, packages, seed, killsPerRun] = [values.kills, values.packages, values.seed, values['kills-per-run']].map(
  Number,
) as [number, number, number, number];

/** A replica under test. */
interface Replica {
  cache: string;
  url: string;
  store: string;
}

/** What the fake origin counts. */
interface OriginStats {
  names: Record<string, { asked: number; served: number }>;
  faults: Record<string, number>;
}

/** The command's default: requests that may be under way when it is killed. */
const CONCURRENCY = 10;
const random = mulberry32(seed);

const share = Number(values.share) / 5;
const faults = [
  { fault: '503', share },
  { fault: 'reset', share },
  { fault: 'reset-body', share },
  { fault: 'cut-body', share },
  { fault: 'html-403', share },
];

const origin = spawn(
  process.execPath,
  [
    'test/fake-origin/main.ts',
    '--packages',
    String(packages),
    '--port',
    '0',
    '--seed',
    String(seed),
    '--sizes',
    'small',
    '--faults',
    JSON.stringify(faults),
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const problems: string[] = [];
const began = Date.now();
const total = { replicas: 0, kills: 0, refetched: 0, allowed: 0, pagesAgain: 0 };
try {
  const url = await listening(origin);
  const each = Math.ceil(kills / stores.length);
  for (const store of stores) {
    let killed = 0;
    while (killed < each) killed += await proveReplica(url, store, Math.min(killsPerRun, each - killed));
  }
} finally {
  origin.kill('SIGTERM');
}
const ms = Date.now() - began;
const { durability } = values;
console.log(JSON.stringify({ type: 'done', packages, seed, stores, durability, ...total, ms, problems }));
process.exit(problems.length > 0 ? 1 : 0);

/** One replica from its first request to its proof, killed on the way; gives how often it was. */
async function proveReplica(url: string, store: string, most: number): Promise<number> {
  const first = Date.now();
  const cache = mkdtempSync(join(tmpdir(), 'all-docs-crash-'));
  const replica = { cache, url, store };
  await fetch(`${url}/-/fake/reset`, { method: 'POST' });
  let killed = 0;
  // The first life shows how long one takes from its first answer on; the later ones are killed within that time.
  while (killed < most) {
    if (await live(replica, 150 + random() * 2500)) killed += 1;
    else break;
  }
  const last = await finish(replica);
  total.replicas += 1;
  total.kills += killed;
  await judge(replica, killed, last, first);
  rmSync(cache, { recursive: true, force: true });
  return killed;
}

function command(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['node_modules/@_all_docs/cli/bin/_all_docs.js', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function bootstrap({ cache, url, store }: Replica): ChildProcess {
  const where = ['--cache', cache, '--origin', url, '--registry', url];
  return command('bootstrap', ...where, '--rate', '0', '--json', '--store', store, '--durability', values.durability);
}

/** Runs until killed; `false` when it ended by itself first. */
async function live(replica: Replica, forMs: number): Promise<boolean> {
  const child = bootstrap(replica);
  child.stdout?.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), forMs);
  const [code, signal] = await once(child, 'exit');
  clearTimeout(timer);
  if (signal === 'SIGKILL') return true;
  if (code !== 0) problems.push(`a bootstrap ended with ${code ?? signal}`);
  return false;
}

/** The last life: nobody kills it. Gives its `done` event. */
async function finish(replica: Replica): Promise<Record<string, unknown>> {
  const child = bootstrap(replica);
  let done: Record<string, unknown> = {};
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const event = JSON.parse(line);
    if (event.type === 'done') done = event;
    if (event.type === 'error') problems.push(`${event.code}: ${event.message}`);
  }
  if (done['exitCode'] !== 0) problems.push(`the last run ended with ${done['exitCode'] ?? 'no result'}`);
  return done;
}

async function judge(replica: Replica, killed: number, last: Record<string, unknown>, first: number): Promise<void> {
  const { cache, url, store } = replica;
  const names = (await (await fetch(`${url}/-/fake/names`)).text()).trimEnd().split('\n');
  const stats = (await (await fetch(`${url}/-/fake/stats?names=1`)).json()) as OriginStats;
  const held = new Set(
    (await output('cache', 'ls', 'v1:packument:', '--cache', cache)).map((key) =>
      Buffer.from(key.split(':')[3] ?? '', 'hex').toString(),
    ),
  );
  const missing = names.filter((name) => !held.has(name));
  if (missing.length > 0) problems.push(`${missing.length} packages are missing: ${missing.slice(0, 3).join(', ')}`);
  if (held.size !== names.length) problems.push(`${held.size} packages are held, ${names.length} exist`);
  const verified = JSON.parse(
    (await output('packument', 'verify', '--json', '--registry', url, '--cache', cache)).at(-1) ?? '{}',
  );
  if (verified.problems !== 0 || verified.packuments !== names.length)
    problems.push(`verify: ${JSON.stringify(verified)}`);
  const coverage = JSON.parse(
    (await output('partition', 'verify', '--json', '--origin', url, '--registry', url, '--cache', cache)).at(-1) ??
      '{}',
  );
  if (coverage.holds !== true) problems.push(`coverage: ${JSON.stringify(coverage)}`);
  const left = readdirSync(cache).includes('tmp') ? readdirSync(join(cache, 'tmp')) : [];
  if (left.length > 0) problems.push(`${left.length} temporary files are left`);
  const served = Object.values(stats.names).reduce((sum, name) => sum + name.served, 0);
  // Each kill loses at most what was in flight, for the names still to be fetched.
  const refetched = served - names.length;
  const allowed = killed * CONCURRENCY;
  if (refetched > allowed)
    problems.push(`${refetched} packuments were fetched again, ${killed} kills explain ${allowed}`);
  total.refetched += refetched;
  total.allowed += allowed;
  console.log(
    JSON.stringify({
      type: 'replica',
      store,
      killed,
      held: held.size,
      refetched,
      allowed,
      heldAtLast: last['held'],
      faults: stats.faults,
      ms: Date.now() - first,
    }),
  );
}

async function output(...args: string[]): Promise<string[]> {
  const child = command(...args);
  const lines: string[] = [];
  child.stderr?.pipe(process.stderr);
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) lines.push(line);
  return lines;
}

async function listening(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream }))
    return JSON.parse(line).url;
  throw new Error('the fake origin did not start');
}
