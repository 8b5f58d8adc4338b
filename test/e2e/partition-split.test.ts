import { createPartitionKey } from '@_all_docs/cache';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type CliRun, only, runCli, tempDir, tempFile } from './cli.ts';
import { at, held, namesBetween, startFake } from './replica.ts';

let fake: FakeOrigin;
beforeAll(async () => {
  fake = await startFake({ packages: 12_000, seed: 11 });
});

const where = (cache: string) => ['--origin', fake.url, ...held(fake, cache)];
const pivotFile = (pivots: readonly string[]) => tempFile('pivots.json', JSON.stringify(pivots));

async function ok(...args: string[]): Promise<CliRun> {
  const run = await runCli(args);
  expect({ code: run.code, said: run.stderr }).toEqual({ code: 0, said: expect.not.stringContaining('error') });
  return run;
}

/** Starts of the partitions that are held, and the rows of each; each must be what the origin has there, and they must touch. */
async function heldSet(cache: string): Promise<{ starts: (string | null)[]; rows: number[] }> {
  const { events } = await ok('partition', 'ls', '--json', ...where(cache));
  let end: string | null = null;
  for (const [i, { startKey, endKey, rows }] of events.entries()) {
    expect(startKey).toBe(end);
    expect(rows).toBe(namesBetween(fake, startKey, endKey).length);
    if (i < events.length - 1) expect(endKey).not.toBeNull();
    end = endKey;
  }
  expect(end).toBeNull();
  return { starts: events.map(({ startKey }) => startKey), rows: events.map(({ rows }) => rows) };
}

describe('partition refresh', () => {
  it('lists as fetch does, with --pivots too, and leaves exactly one covering set', async () => {
    const cache = tempDir();
    const first = await ok('partition', 'refresh', '--json', ...at(fake, cache));
    expect(only(first, 'coverage')['report']).toMatchObject({ holds: true, partitions: 2, rows: 12_000 });
    const before = await heldSet(cache);
    expect(before.starts).toHaveLength(2);

    await ok('partition', 'refresh', '--pivots', pivotFile(['@', 'a', 'b', 'c', 'n', 'r']), ...at(fake, cache));
    expect((await heldSet(cache)).starts).toEqual([null, '@', 'a', 'b', 'c', 'n', 'r']);

    // Small neighbours are one partition in the next pass, and the entries of the small ones are gone.
    await ok('partition', 'refresh', ...at(fake, cache));
    const after = await heldSet(cache);
    expect(after.starts.length).toBeLessThan(7);
    for (const [i, rows] of after.rows.entries())
      expect(rows + (after.rows[i + 1] ?? 10_000)).toBeGreaterThanOrEqual(5_000);
    expect(await runCli(['partition', 'verify', ...where(cache)])).toMatchObject({ code: 0 });
  });

  it('of a part leaves the rest alone', async () => {
    const cache = tempDir();
    await ok('partition', 'fetch', ...at(fake, cache));
    const whole = (await ok('partition', 'ls', ...where(cache))).stdout;
    for (const pivots of [['m'], ['n', 'p']]) {
      await ok('partition', 'fetch', '--start', 'k', '--end', 's', '--pivots', pivotFile(pivots), ...at(fake, cache));
      const lines = (await ok('partition', 'ls', ...where(cache))).stdout.trimEnd().split('\n');
      const inner = lines.filter((line) => !whole.includes(line)).map((line) => line.split('\t').slice(0, 2));
      const ends = ['k', ...pivots, 's'];
      expect(inner).toEqual(ends.slice(1).map((end, i) => [ends[i], end]));
      expect(lines).toEqual(expect.arrayContaining(whole.trimEnd().split('\n')));
    }
    await ok('partition', 'fetch', ...at(fake, cache));
    expect((await ok('partition', 'ls', ...where(cache))).stdout).toBe(whole);
  });
});

describe('partition split', () => {
  it('--at: the next pass is cut there too; sorted, and each once', async () => {
    const cache = tempDir();
    const split = await ok('partition', 'split', '--at', 'r', '--at', '@', '--at', 'r', ...where(cache));
    expect(split.stdout).toBe('3 partitions, 2 more than before\n');
    const again = await ok('partition', 'split', '--at', '@', '--json', ...where(cache));
    expect(only(again, 'done')).toMatchObject({ partitions: 3, added: 0 });
    await ok('partition', 'fetch', ...at(fake, cache));
    expect((await heldSet(cache)).starts).toEqual([null, '@', 'r']);
  });

  it('--max-rows: no partition of the next pass has more', async () => {
    const cache = tempDir();
    await ok('partition', 'fetch', ...at(fake, cache));
    const split = await ok('partition', 'split', '--max-rows', '700', '--json', ...where(cache));
    await ok('partition', 'fetch', ...at(fake, cache));
    const after = await heldSet(cache);
    expect(after.starts).toHaveLength(only(split, 'done')['partitions']);
    expect(Math.max(...after.rows)).toBeLessThanOrEqual(700);
  });

  it('START or KEY: halves what is held', async () => {
    const cache = tempDir();
    await ok('partition', 'fetch', '--pivots', pivotFile(['@', 'b']), ...at(fake, cache));
    // The pass has dropped what was small; what is held is what it listed.
    await ok('partition', 'split', '--at', '@', '--at', 'b', ...where(cache));
    const scoped = createPartitionKey('@', 'b', fake.url);
    await ok('partition', 'split', 'b', scoped, ...where(cache));
    const whole = namesBetween(fake, 'b', null).length;
    await ok('partition', 'fetch', ...at(fake, cache));
    const { starts, rows } = await heldSet(cache);
    expect(starts).toHaveLength(5);
    expect(rows[3]).toBe(whole >>> 1);
  });

  it.each([
    ['without a word of where', [], 2, 'ERR_USAGE'],
    ['at nothing', ['--at', ''], 2, 'ERR_BAD_PIVOTS'],
    ['at no number of rows', ['--max-rows', '0'], 2, 'ERR_USAGE'],
    ['by rows when nothing is held', ['--at', 'a', '--max-rows', '5'], 1, 'ERR_NOT_LISTED'],
    ['a partition that is not held', ['--at', 'a', 'nowhere'], 1, 'ERR_NOT_HELD'],
  ])('%s: says so and changes nothing', async (_, args, code, error) => {
    const cache = tempDir();
    const run = await runCli(['partition', 'split', ...args, '--json', ...where(cache)]);
    expect({ code: run.code, error: only(run, 'error')['code'] }).toEqual({ code, error });
    const next = await ok('partition', 'split', '--at', 'x', '--json', ...where(cache));
    expect(only(next, 'done')).toMatchObject({ partitions: 2, added: 1 });
  });
});
