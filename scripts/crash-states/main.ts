/**
 * Enumerates crash states of a replica's directory and proves that none loses an acknowledged write, shows a duplicate or
 * gives a corrupt read. Workloads are recorded as system calls (strace); prefixes of the recordings become real directories,
 * which a fresh driver opens.
 *
 *   node scripts/crash-states/main.ts [--store cacache|sqlite] [--level process|power] [--durability process|power]
 *     [--states 20000] [--seed 1] [--steps 60]
 *   … --round 1002 --at 310 --kind scattered --sample 0 [--trace file]       one state again
 *
 * Prints a line for each store, level and durability; exits 1 on any finding, with the command that shows its state again,
 * and 2 where strace is missing.
 */
import type { Durability, StoreKind } from '@_all_docs/worker-node';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Allowance, check, type Verdict } from './check.ts';
import { Disk } from './disk.ts';
import { timesOf } from './knowledge.ts';
import { makePlan } from './plan.ts';
import { powerStates } from './power-states.ts';
import { processStates } from './process-states.ts';
import { mulberry32 } from './random.ts';
import { canRecord, readTrace, recordTrace } from './record.ts';
import type { CrashState } from './state.ts';
import type { Recording } from './trace.ts';

type Level = 'process' | 'power';

interface Campaign {
  store: StoreKind;
  level: Level;
  durability: Durability;
}

const { values } = parseArgs({
  options: {
    store: { type: 'string' },
    level: { type: 'string' },
    durability: { type: 'string' },
    states: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
    round: { type: 'string' },
    at: { type: 'string' },
    kind: { type: 'string' },
    sample: { type: 'string' },
    trace: { type: 'string' },
  },
});
const [wanted, seed, steps] = [values.states, values.seed, values.steps].map(Number) as [number, number, number];
/** Sampled states of each kind at a place. */
const SAMPLES = 3;
const MOST_PRINTED = 10;
/** Every so many states the directory is compared with what it should be, file by file. */
const SELF_CHECK = 200;

if (!canRecord()) {
  console.error('strace is missing here, or may not trace; install it (Linux only)');
  process.exit(2);
}
// States are written by the thousand: memory spares the disk, where there is such a place.
const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'all-docs-states-'));
let findings = 0;
try {
  for (const campaign of campaigns()) findings += await run(campaign);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exit(findings > 0 ? 1 : 0);

/** What is asked for of: kill -9; a power cut with synced commits; a power cut without. */
function campaigns(): Campaign[] {
  const pairs: [Level, Durability][] = [
    ['process', 'process'],
    ['power', 'power'],
    ['power', 'process'],
  ];
  return (['cacache', 'sqlite'] as const)
    .flatMap((store) => pairs.map(([level, durability]) => ({ store, level, durability })))
    .filter(({ store }) => (values.store ?? store) === store)
    .filter(({ level }) => (values.level ?? level) === level)
    .filter(({ durability }) => (values.durability ?? durability) === durability);
}

/** The guarantees, one by one: what is not allowed here is a finding. */
function guaranteeOf({ store, level, durability }: Campaign): Allowance {
  return {
    end: level === 'power' && durability === 'process',
    bodies: level === 'power' && durability === 'process' && store === 'cacache',
  };
}

async function run(campaign: Campaign): Promise<number> {
  const began = Date.now();
  const disk = new Disk(join(scratch, 'replica'));
  const kinds: Record<string, number> = {};
  const sum = { missing: 0, damaged: 0, repeated: 0 };
  let [states, found, rounds] = [0, 0, 0];
  while (states < (values.round ? 1 : wanted)) {
    const round = values.round ? Number(values.round) : seed * 1_000 + rounds;
    rounds += 1;
    const text = values.trace
      ? readFileSync(values.trace, 'utf8')
      : recordTrace({ ...campaign, seed: round, steps }, scratch);
    const recording = readTrace(text);
    const plan = makePlan(round, steps);
    const times = timesOf(plan, recording);
    let saved = false;
    for (const state of choose(campaign, round, recording, wanted - states)) {
      const tree = state.tree();
      disk.show(tree);
      if (states % SELF_CHECK === 0) disk.assertShown(tree);
      const verdict = await check(
        disk,
        campaign.store,
        { plan, times, position: state.position },
        guaranteeOf(campaign),
      );
      states += 1;
      kinds[state.kind] = (kinds[state.kind] ?? 0) + 1;
      for (const key of ['missing', 'damaged', 'repeated'] as const) sum[key] += verdict[key];
      if (verdict.problems.length === 0) continue;
      found += 1;
      if (found > MOST_PRINTED) continue;
      const trace =
        values.trace ?? join(tmpdir(), `all-docs-crash-${campaign.store}-${campaign.durability}-${round}.trace`);
      if (!saved && !values.trace) writeFileSync(trace, text);
      saved = true;
      report(campaign, state, verdict, trace);
    }
    if (states === 0) throw new Error('there is no such state');
  }
  const ms = Date.now() - began;
  console.log(JSON.stringify({ type: 'states', ...campaign, states, rounds, kinds, ...sum, findings: found, ms }));
  return found;
}

/** The states of a recording: all, or so many of them, drawn by the seed; or the one asked for. */
function* choose(campaign: Campaign, round: number, recording: Recording, most: number): Iterable<CrashState> {
  const all = () =>
    campaign.level === 'process' ? processStates(round, recording) : powerStates(round, recording, SAMPLES);
  if (values.at !== undefined) {
    for (const state of all()) {
      const isIt = state.kind === (values.kind ?? state.kind) && state.sample === Number(values.sample ?? state.sample);
      if (isIt && state.position === Number(values.at)) yield state;
    }
    return;
  }
  let count = 0;
  for (const _ of all()) count += 1;
  const random = mulberry32(round);
  let wantedYet = Math.min(most, count);
  for (const state of all()) {
    // Each has the same chance, and in the end it is exactly so many.
    if (random() * count < wantedYet) {
      wantedYet -= 1;
      yield state;
    }
    count -= 1;
  }
}

function report(
  campaign: Campaign,
  { round, position, kind, sample }: CrashState,
  verdict: Verdict,
  trace: string,
): void {
  const replay =
    `node scripts/crash-states/main.ts --store ${campaign.store} --level ${campaign.level} --durability ${campaign.durability}` +
    ` --steps ${steps} --round ${round} --at ${position} --kind ${kind} --sample ${sample} --trace ${trace}`;
  console.log(
    JSON.stringify({ type: 'finding', ...campaign, round, position, kind, sample, problems: verdict.problems, replay }),
  );
}
