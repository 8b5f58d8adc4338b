import { compareBytes } from '@_all_docs/cache';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type CliRun, only, runCli, tempDir, tempFile } from './cli.ts';
import { at, held, startFake } from './replica.ts';

let fake: FakeOrigin;
let names: string[];
/** A replica of the fake's names, and the same names as a file. */
let replica: string;
let list: string;

beforeAll(async () => {
  fake = await startFake({ packages: 11_000, seed: 12 });
  names = [...fake.names()];
  replica = tempDir();
  list = tempFile('names.txt', `${names.join('\n')}\n`);
  await ok('partition', 'fetch', ...at(fake, replica));
  // A pass over a part lies inside the whole one: its names must not count twice.
  await ok('partition', 'fetch', '--start', '@', '--end', 'b', ...at(fake, replica));
});

const where = (cache = replica) => ['--origin', fake.url, ...held(fake, cache)];

async function ok(...args: string[]): Promise<CliRun> {
  const run = await runCli(args);
  expect({ code: run.code, said: run.stderr }).toEqual({ code: 0, said: expect.not.stringContaining('error') });
  return run;
}

/** How many names each part gets, counted in the plainest way. */
function countsOf(pivots: readonly string[]): number[] {
  const ends = [...pivots, undefined];
  return ends.map(
    (end, i) =>
      names.filter(
        (name) =>
          (i === 0 || compareBytes(name, pivots[i - 1] as string) >= 0) &&
          (end === undefined || compareBytes(name, end) < 0),
      ).length,
  );
}

describe('pivots make', () => {
  it('gives the same set from what is held, from a file and from standard input', async () => {
    const fromHeld = await ok('pivots', 'make', '--rows', '500', ...where());
    const asked = await ok('pivots', 'make', '--from-held', '--rows', '500', ...where());
    const fromFile = await ok('pivots', 'make', '--names', list, '--rows', '500');
    const piped = await runCli(['pivots', 'make', '--names', '-', '--rows', '500'], {
      input: `# all\n${names.join('\r\n')}`,
    });
    const pivots = JSON.parse(fromHeld.stdout);
    for (const { stdout } of [asked, fromFile, piped]) expect(JSON.parse(stdout)).toEqual(pivots);
    const counts = countsOf(pivots);
    expect(Math.max(...counts)).toBeLessThanOrEqual(500);
    expect(Math.min(...counts.slice(0, -1))).toBeGreaterThanOrEqual(425);
    expect(Math.max(...pivots.map(({ length }: string) => length))).toBeLessThan(20);
  });

  it('--out: a file that a pass can be cut by', async () => {
    const out = join(tempDir(), 'set.json');
    const made = await ok('pivots', 'make', '--names', list, '--rows', '2000', '--out', out, '--json');
    const pivots = JSON.parse(readFileSync(out, 'utf8'));
    expect(only(made, 'done')).toMatchObject({ pivots: pivots.length, partitions: pivots.length + 1, out });
    expect((await ok('pivots', 'make', '--names', list, '--rows', '2000', '--out', out)).stdout).toBe(
      `${pivots.length} pivots, ${pivots.length + 1} partitions, in ${out}\n`,
    );
    const cache = tempDir();
    const pass = await ok('partition', 'fetch', '--pivots', out, '--json', ...at(fake, cache));
    expect(only(pass, 'coverage')['report']).toMatchObject({ holds: true, partitions: pivots.length + 1 });
  });

  it.each([
    ['names out of order', () => ['--names', tempFile('n.txt', 'b\na\n')], 2, 'ERR_BAD_NAMES'],
    ['a file that is not there', () => ['--names', 'nowhere.txt'], 2, 'ERR_NO_FILE'],
    ['both sources', () => ['--names', list, '--from-held'], 2, 'ERR_USAGE'],
    ['no rows', () => ['--rows', '0', '--names', list], 2, 'ERR_USAGE'],
    ['nothing held', () => where(tempDir()), 1, 'ERR_NOT_LISTED'],
    ['no place to write', () => ['--names', list, '--out', '/dev/null/set.json'], 1, 'ERR_NO_FILE'],
  ])('%s: says so', async (_, args, code, error) => {
    const run = await runCli(['pivots', 'make', ...args(), '--json']);
    expect({ code: run.code, error: only(run, 'error')['code'] }).toEqual({ code, error });
  });
});

describe('pivots check', () => {
  const file = () => tempFile('pivots.json', '["@","a","n"]');

  it('weighs a set by what is held, or by a list', async () => {
    const counts = countsOf(['@', 'a', 'n']);
    const expected = {
      pivots: 3,
      partitions: 4,
      names: names.length,
      empty: 0,
      min: Math.min(...counts),
      max: Math.max(...counts),
      overflowing: 0,
    };
    expect(only(await ok('pivots', 'check', file(), '--json', ...where()), 'done')).toMatchObject(expected);
    expect(only(await ok('pivots', 'check', file(), '--json', '--names', list), 'done')).toMatchObject(expected);
    const said = await ok('pivots', 'check', tempFile('none.json', '[]'), ...where());
    expect(said.stdout).toMatch(/^0 pivots in order, 1 partitions\n(.*\n)*overflowing 1 /);
  });

  it('without names: order and number only; without a file: the default set', async () => {
    const cache = tempDir();
    expect((await ok('pivots', 'check', file(), ...where(cache))).stdout).toMatch(/^3 pivots .* no names are held/);
    const set = await ok('pivots', 'check', '--json', '--names', list);
    expect(only(set, 'done')).toMatchObject({ names: names.length });
    expect(only(set, 'done')['pivots']).toBeGreaterThan(20);
  });

  it.each([
    ['unsorted', () => tempFile('p.json', '["b","a"]')],
    ['twice', () => tempFile('p.json', '["a","a"]')],
    ['no list', () => tempFile('p.json', '{}')],
    ['no JSON', () => tempFile('p.json', '[')],
    ['not there', () => 'nowhere.json'],
  ])('%s: exits 2', async (_, path) => {
    const run = await runCli(['pivots', 'check', path(), '--names', list]);
    expect({ code: run.code, stdout: run.stdout }).toEqual({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^error ERR_(BAD_PIVOTS|NO_FILE): /);
  });
});
