/**
 * What following costs, against the fake origin, whose CPU is not counted.
 *
 *   node scripts/bench/follow.ts [--only rows,pace,removal] [--rows 200000] [--seconds 60] [--packages 2000] [--rounds 3] [--seed 1]
 *
 * rows: rows of the feed a second of CPU where nothing is fetched: `follow --once` in a replica that holds names only,
 * after `--rows` changes to as many packages at random (the feed has each of them once: about two thirds as many rows),
 * less what a run costs that finds nothing new. Wanted: 5,000.
 * pace: share of a core and peak memory of `follow` at two changes a second for `--seconds`, fetches included. Wanted:
 * under 2 % and 150 MB; the start of the process is not counted in the share.
 * removal: seconds from a removal at the origin until `serve --follow --interval 1s` refuses it in every form, and
 * the same when it is killed with SIGKILL right after the removal and begun again. Wanted: under 5 s.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { RemovalKind } from '../../test/fake-origin/index.ts';
import { OriginControl } from '../soak/origin.ts';
import { COMMAND, Lives, run } from '../soak/server.ts';
import { measure, spread, startOrigin } from './_measure.ts';
import { cpuSeconds, end } from './_servers.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'rows,pace,removal' },
    rows: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '60' },
    packages: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
  },
});
const [rows, seconds, rounds] = [values.rows, values.seconds, values.rounds].map(Number) as [number, number, number];
const parts: Record<string, (work: string) => Promise<void>> = { rows: rowsOfCpu, pace: atPace, removal: untilRefused };
for (const part of values.only.split(',')) {
  const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-follow-'));
  try {
    await parts[part]?.(work);
  } finally {
    rmSync(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function rowsOfCpu(work: string): Promise<void> {
  const origin = await startOrigin('--packages', values.rows, '--seed', values.seed, '--sizes', 'small');
  try {
    const control = new OriginControl(origin.url);
    const where = placeOf(origin.url, join(work, 'replica'));
    await expectDone('bootstrap', '--depth', 'names', '--store', 'sqlite', ...where);
    const follow = [COMMAND, 'follow', '--once', '--json', ...where];
    const found: { all: number; net: number; rows: number }[] = [];
    for (let round = 0; round <= rounds; round++) {
      await control.churn({ count: rows, seed: Number(values.seed) + round, mix: { publish: 1 } });
      const full = await measure(follow);
      const empty = await measure(follow);
      const { rows: read } = JSON.parse(full.stdout.trimEnd().split('\n').at(-1) as string);
      // The first round writes the rows, later ones replace them.
      found.push({ rows: read, all: full.cpuMicros, net: full.cpuMicros - empty.cpuMicros });
    }
    const per = (each: { net: number; rows: number }) => each.rows / (each.net / 1e6);
    console.log(`rows: ${spread(found.map((each) => each.rows))} rows in a run`);
    console.log(
      `  first ${per(found[0] as (typeof found)[0]).toFixed(0)} rows a second of CPU; later ${spread(found.slice(1).map(per))}; wanted 5000`,
    );
  } finally {
    origin.stop();
  }
}

async function atPace(work: string): Promise<void> {
  const origin = await startOrigin('--packages', values.packages, '--seed', values.seed);
  try {
    const control = new OriginControl(origin.url);
    const where = placeOf(origin.url, join(work, 'replica'));
    await expectDone('bootstrap', '--store', 'sqlite', ...where);
    const child = spawn(process.execPath, [COMMAND, 'follow', '--json', '--window', '10s', ...where], {
      stdio: 'ignore',
    });
    const pid = child.pid as number;
    await pause(5_000);
    const [before, began] = [cpuSeconds(pid), performance.now()];
    for (let second = 0; second < seconds; second++) {
      await control.churn({ count: 2, seed: second + 1, mix: { publish: 1 } });
      await pause(Math.max(0, began + 1000 * (second + 1) - performance.now()));
    }
    // What is still in the window is fetched.
    await pause(12_000);
    const share = ((cpuSeconds(pid) - before) / (performance.now() - began)) * 1e5;
    const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
    await end(child as ChildProcess);
    console.log(
      `pace: ${share.toFixed(2)} % of a core (wanted 2), peak ${peak.toFixed(0)} MiB (wanted 143), ${2 * seconds} changes`,
    );
  } finally {
    origin.stop();
  }
}

async function untilRefused(work: string): Promise<void> {
  const origin = await startOrigin('--packages', values.packages, '--seed', values.seed);
  const control = new OriginControl(origin.url);
  const where = placeOf(origin.url, join(work, 'replica'));
  let lives: Lives | undefined;
  try {
    await expectDone('bootstrap', '--store', 'sqlite', ...where);
    // A server has no pace of its own to be told.
    lives = new Lives([...where.slice(0, -2), '--follow', '--interval', '1s']);
    await lives.begin();
    const plain = (await control.names()).filter((name) => /^[a-z]+$/.test(name));
    for (const isKilled of [false, true]) {
      for (const how of ['version', 'deleted', 'unpublished', 'placeholder', '404'] as const) {
        const took: Record<string, number> = {};
        for (let round = 0; round < rounds; round++) {
          const name = await withVersions(control, plain);
          for (const [form, seconds] of Object.entries(await refusal(control, lives, name, how, isKilled)))
            took[form] = Math.max(took[form] ?? 0, seconds);
        }
        const longest = Object.entries(took).map(([form, seconds]) => `${form} ${seconds.toFixed(2)}`);
        console.log(
          `removal: ${how}${isKilled ? ', killed' : ''}: longest s of ${rounds}: ${longest.join(', ')}; wanted 5`,
        );
      }
    }
  } finally {
    await lives?.end('SIGTERM');
    origin.stop();
  }
}

/** The next plain name that has two versions at least. */
async function withVersions(control: OriginControl, names: string[]): Promise<string> {
  for (let name = names.pop(); name !== undefined; name = names.pop())
    if (Object.keys((await control.document(name)).document?.versions ?? {}).length > 1) return name;
  throw new Error('too few packages');
}

/** Seconds from the removal of the latest version until each form is without it for good. */
async function refusal(
  control: OriginControl,
  lives: Lives,
  name: string,
  how: RemovalKind,
  isKilled: boolean,
): Promise<Record<string, number>> {
  const version = Object.keys((await control.document(name)).document?.versions ?? {}).at(-1) as string;
  const corgi = 'application/vnd.npm.install-v1+json';
  const forms: Record<string, () => Promise<boolean>> = {
    full: () => shows(`/npm/${name}`, version),
    abbreviated: () => shows(`/npm/${name}`, version, corgi),
    version: () => shows(`/npm/${name}/${version}`, version),
    'dist-tags': () => shows(`/npm/-/package/${name}/dist-tags`, version),
    tarball: () => shows(`/npm/${name}/-/${name}-${version}.tgz`),
  };
  // Twice: then it is in every memory there is.
  for (let times = 0; times < 2; times++)
    for (const [form, isShown] of Object.entries(forms))
      if (!(await isShown())) throw new Error(`${name}: ${form} does not show ${version} before its removal`);
  const began = performance.now();
  await control.remove(name, how);
  if (isKilled) await lives.renew(0);
  const took: Record<string, number> = {};
  await Promise.all(
    Object.entries(forms).map(async ([form, isShown]) => {
      while (await isShown()) await pause(20);
      took[form] = (performance.now() - began) / 1000;
    }),
  );
  return took;

  async function shows(path: string, text?: string, accept = 'application/json'): Promise<boolean> {
    const response = await fetch(lives.url + path, { headers: { accept } });
    const body = await response.text();
    if (response.status !== 200 || text === undefined) return response.status === 200;
    const { versions, version: own, ...tags } = JSON.parse(body);
    if (versions) return Object.hasOwn(versions, text);
    return own === text || Object.values(tags).includes(text);
  }
}

function placeOf(url: string, cache: string): string[] {
  return ['--origin', url, '--registry', url, '--cache', cache, '--rate', '0'];
}

async function expectDone(...args: string[]): Promise<void> {
  const { code, last } = await run(args);
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${JSON.stringify(last)}`);
}
