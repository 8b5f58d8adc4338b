/**
 * Follows a feed through kills, faults and resets, and proves that the replica is the origin in the end: the fake origin
 * changes all the time while `serve --follow` is killed with SIGKILL and begun again, and a prober asks for what was removed.
 *
 *   node scripts/soak.ts [--packages 200000] [--documents 20000] [--changes 500000] [--kills 50] [--resets 3]
 *     [--life 4000] [--share 0.05] [--store sqlite|cacache] [--workers 1] [--seed 1] [--wait 0]
 *
 * All `--packages` names are listed and followed; documents are held of the first `--documents` of them. `--life` is the
 * mean life of a server in ms; the changes are spread over all lives. `--share` of the requests go wrong, in every way
 * that the origin knows. With `--wait 320` the end waits for the second 404 of names that are gone without being deleted.
 * The size that stands above takes about 7 minutes on two cores, and less than 500 MB of temporary files.
 * Prints what it does, and a line of totals; exits 1 with the first differences.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { REMOVALS, type RemovalKind } from '../test/fake-origin/index.ts';
import { startOrigin } from './bench/_measure.ts';
import { below, mulberry32 } from './crash-states/random.ts';
import { compare } from './soak/compare.ts';
import { faultRules } from './soak/faults.ts';
import { OriginControl } from './soak/origin.ts';
import { Prober, packageUrl } from './soak/prober.ts';
import { Lives, run } from './soak/server.ts';

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '200000' },
    documents: { type: 'string', default: '20000' },
    changes: { type: 'string', default: '500000' },
    kills: { type: 'string', default: '50' },
    resets: { type: 'string', default: '3' },
    life: { type: 'string', default: '4000' },
    share: { type: 'string', default: '0.05' },
    store: { type: 'string', default: 'sqlite' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    wait: { type: 'string', default: '0' },
  },
});
const [packages, documents, changes, kills, resets, life, share, seed, wait] = (
  ['packages', 'documents', 'changes', 'kills', 'resets', 'life', 'share', 'seed', 'wait'] as const
).map((flag) => Number(values[flag])) as [number, number, number, number, number, number, number, number, number];

/** How often each kind of change happens. */
const MIX = { publish: 70, new: 5, version: 10, deleted: 4, unpublished: 4, placeholder: 3, '404': 2, silent: 2 };
const TICK_MS = 250;
/** A follower that is not at the head by then has lost its way. */
const LONGEST_MS = 180_000;
const PROBERS = 4;
const WARM = 4;

const random = mulberry32(seed);
const began = performance.now();
const work = mkdtempSync(join(tmpdir(), 'all-docs-soak-'));
const cache = join(work, 'replica');
const origin = await startOrigin('--packages', values.packages, '--seed', values.seed, '--sizes', 'small');
const control = new OriginControl(origin.url);
const where = ['--origin', origin.url, '--registry', origin.url, '--cache', cache];
const lives = new Lives([
  ...where,
  ...['--follow', '--interval', '500ms', '--window', '2s', '--reconcile', '0s', '--workers', values.workers],
]);
const prober = new Prober(control, () => lives.url, random);
const problems: string[] = [];
const total = { changes: 0, removals: 0, resets: 0, warmed: 0 };
let isOver = false;
let isMending = false;
try {
  const names = await control.names();
  const end = documents < packages ? names[documents] : undefined;
  await expectDone('bootstrap', '--depth', 'names', '--store', values.store, ...where, '--rate', '0');
  const range = end === undefined ? [] : ['--end', end];
  await expectDone('bootstrap', ...range, ...where, '--rate', '0');
  say('bootstrapped', { packages, documents });
  await control.post('faults', faultRules(share));
  await control.post('lag', { ms: 3_000 });
  await lives.begin();
  const probing = Array.from({ length: PROBERS }, () => probeOn());
  const watching = watchOn();
  const changing = changeOn(names.slice(0, documents));
  while (lives.kills < kills) await lives.renew(life * (0.4 + 1.2 * random()));
  await changing;
  say('changed', { ...total, kills: lives.kills, probes: prober.probes });
  await control.post('faults', []);
  await control.post('lag', {});
  await caughtUp();
  isOver = true;
  await Promise.all([...probing, watching]);
  await lives.end('SIGTERM');
  await settle();
  const found = await compare(
    { cache, url: origin.url, end },
    { names: await control.names(), truth: await control.truth() },
  );
  problems.push(...found.problems, ...prober.problems);
  const { probes, refused } = prober;
  const seconds = Math.round((performance.now() - began) / 1000);
  say('done', { ...found, ...total, kills: lives.kills, probes, refused, seconds, problems });
} finally {
  isOver = true;
  if (lives.url !== undefined) await lives.end('SIGKILL');
  origin.stop();
  rmSync(work, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(problems.length > 0 ? 1 : 0);

/** Changes the origin as long as the lives last, and sets its sequences back now and then. */
async function changeOn(held: readonly string[]): Promise<void> {
  const resetEvery = changes / (resets + 1);
  for (let turn = 1; total.changes < changes; turn++) {
    await pause(TICK_MS);
    const share = Math.ceil((changes * TICK_MS) / Math.max(life * kills, TICK_MS));
    const count = Math.min(share, changes - total.changes);
    await removeWarm(held);
    const { removed } = await control.churn({ count, seed: seed * 1_000_003 + turn, mix: MIX });
    total.changes += count;
    total.removals += removed.length;
    prober.watch(removed);
    if (total.resets < resets && total.changes >= resetEvery * (total.resets + 1)) await reset();
  }
}

/** An epoch change. Until it is mended a cursor says nothing of what was applied: nothing else changes meanwhile. */
async function reset(): Promise<void> {
  isMending = true;
  // Further back than what came since the last look, or nobody could tell.
  await control.post('shift', { by: -Math.floor((await control.updateSeq()) / 3) });
  total.resets += 1;
  say('reset', { ...total, kills: lives.kills });
  await caughtUp();
  isMending = false;
}

/** Some documents and tarballs are pulled through, and removed right behind that. */
async function removeWarm(held: readonly string[]): Promise<void> {
  for (let i = 0; i < WARM; i++) {
    const name = held[below(random, held.length)] as string;
    const version = Object.keys((await control.document(name)).document?.versions ?? {}).at(-1);
    const { url } = lives;
    if (version === undefined || version === '0.0.1-security' || !url) continue;
    const base = packageUrl(url, name);
    const tarball = `${base}/-/${encodeURIComponent(`${name.split('/').at(-1)}-${version}.tgz`)}`;
    // Not waited for: the answer may come after the removal.
    void Promise.allSettled([base, tarball].map(async (each) => (await fetch(each)).arrayBuffer()));
    if (random() < 0.5) await pause(20);
    const how = REMOVALS[below(random, REMOVALS.length)] as RemovalKind;
    const gone = await control.remove(name, how).catch(() => undefined);
    if (gone) prober.watch([{ name, how, version, ...gone }]);
    total.warmed += 1;
  }
}

/** Tells the prober how far the follower is. */
async function watchOn(): Promise<void> {
  while (!isOver) {
    const cursor = await cursorNow();
    if (cursor !== undefined && !isMending) prober.applied(cursor);
    await pause(300);
  }
}

async function probeOn(): Promise<void> {
  while (!isOver) if (!(await prober.probe())) await pause(50);
}

async function cursorNow(): Promise<number | undefined> {
  const { url } = lives;
  if (!url) return undefined;
  const status = await fetch(`${url}/-/status.json`)
    .then((response) => response.json())
    .catch(() => undefined);
  return (status as { feed?: { cursor?: number } } | undefined)?.feed?.cursor;
}

/** Waits until the follower is where the origin is, over as many lives as that takes. */
async function caughtUp(): Promise<void> {
  const head = await control.updateSeq();
  const since = performance.now();
  for (let cursor: number | undefined; cursor !== head; cursor = await cursorNow()) {
    if (performance.now() - since > LONGEST_MS)
      throw new Error(`the follower stays at ${cursor}, the origin is at ${head}`);
    await pause(200);
  }
  prober.applied(Number.POSITIVE_INFINITY);
}

/** What is left is fetched, and what no feed told is found. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    await expectDone('follow', '--once', '--reconcile', '0s', ...where, '--rate', '0');
    const { reconciled, fetched } = await expectDone('reconcile', ...where, '--rate', '0');
    say('reconciled', { ...reconciled, fetched });
  }
  if (wait === 0) return;
  await pause(wait * 1000);
  await expectDone('follow', '--once', '--reconcile', '0s', ...where, '--rate', '0');
}

// biome-ignore lint/suspicious/noExplicitAny: each command's last event has fields of its own
async function expectDone(...args: string[]): Promise<any> {
  const { code, last } = await run(args);
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${JSON.stringify(last)}`);
  return last;
}

function say(type: string, fields: object): void {
  console.log(JSON.stringify({ type, ...fields }));
}
