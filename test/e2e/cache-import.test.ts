import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { only, runCli, startCli, tempDir, until } from './cli.ts';
import { at, contentPath, expectHeld, held, indexRows, keyOf, startFake, truths } from './replica.ts';

const STORES = ['cacache', 'sqlite'] as const;
let fake: FakeOrigin;
const replicas = {} as Record<(typeof STORES)[number], string>;

beforeAll(async () => {
  fake = await startFake({ packages: 600, seed: 91 });
  for (const store of STORES) {
    const cache = tempDir();
    expect(await runCli(['bootstrap', '--store', store, ...at(fake, cache)])).toMatchObject({ code: 0 });
    replicas[store] = cache;
  }
});

function fingerprintOf(path: string): Map<string, string> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return new Map(
    files.map(({ parentPath, name }) => [
      join(parentPath, name),
      createHash('sha256')
        .update(readFileSync(join(parentPath, name)))
        .digest('hex'),
    ]),
  );
}

describe.each([
  ['cacache', 'sqlite'],
  ['sqlite', 'cacache'],
  ['cacache', 'cacache'],
  ['sqlite', 'sqlite'],
] as const)('cache import, %s to %s', (from, to) => {
  it('copies everything, and the copy goes on where the source was', async () => {
    const cache = join(tempDir(), 'new');
    const source = replicas[from];
    const before = fingerprintOf(source);
    const run = await runCli(['cache', 'import', source, '--store', to, '--cache', cache]);
    expect(run).toMatchObject({ code: 0 });
    expect(run.stdout).toMatch(/^601 entries copied \(.*\); 1 runs, \d+ rows\n$/);
    expect(run.stderr).toMatch(
      new RegExp(`^Importing 601 entries \\(${from}\\)\\n(Importing: .*\\n)*Importing: 601 of 601 \\(100 %\\).*\\n$`),
    );
    expect(fingerprintOf(source)).toEqual(before);

    const ls = (path: string) => runCli(['cache', 'ls', '--cache', path]);
    expect((await ls(cache)).stdout).toBe((await ls(source)).stdout);
    if (to === 'cacache') await expectHeld(cache, fake, await truths(fake, fake.names()));
    const key = keyOf(fake, '@a/b');
    const about = (path: string) => runCli(['cache', 'get', '--metadata', key, '--cache', path]);
    expect((await about(cache)).stdout).toBe((await about(source)).stdout);
    expect(await runCli(['packument', 'verify', ...held(fake, cache)])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^600 .* 0 damaged\n$/),
    });
    expect(await runCli(['partition', 'verify', '--origin', fake.url, ...held(fake, cache)])).toMatchObject({
      code: 0,
    });
    const status = async (path: string) =>
      only(await runCli(['status', '--json', '--origin', fake.url, ...held(fake, path)]), 'status');
    expect((await status(cache))['runs']).toEqual((await status(source))['runs']);

    fake.resetStats();
    const next = await runCli(['bootstrap', '--json', ...at(fake, cache)]);
    expect(only(next, 'done')).toMatchObject({ status: 'done', held: 600, stored: 0 });
    expect(fake.stats().byKind).toMatchObject({ packument: 0 });
    expect((await runCli(['cache', 'size', '--json', '--cache', cache])).events[0]).toMatchObject({ store: to });
  });
});

describe('cache import', () => {
  it('--json: progress and the end as events; again: nothing to copy', async () => {
    const cache = tempDir();
    const args = ['cache', 'import', replicas.sqlite, '--json', '--cache', cache];
    const run = await runCli(args);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.events.filter(({ type }) => type === 'progress').at(-1)).toEqual({
      type: 'progress',
      done: 601,
      total: 601,
      rate: expect.any(Number),
      etaSeconds: 0,
      errors: 0,
      throttled: 0,
      pausedSeconds: 0,
    });
    expect(run.events.at(-1)).toMatchObject({ type: 'done', copied: 601, held: 0, damaged: 0, runs: 1 });
    expect((await runCli(args)).events.at(-1)).toMatchObject({ copied: 0, held: 601, runs: 0, rows: 0, bytes: 0 });
  });

  it('interrupted and killed: what is copied is kept, the same command goes on', async () => {
    const cache = join(tempDir(), 'new');
    const args = ['cache', 'import', replicas.sqlite, '--cache', cache];
    const first = startCli(args);
    await until(() => existsSync(join(cache, 'content-v2')), 'the first body is copied');
    first.kill('SIGINT');
    const { code, stderr } = await first.done;
    // It may have been at its end already.
    expect([0, 130]).toContain(code);
    if (code === 130) expect(stderr).toMatch(/the same command goes on from here\n$/);
    const second = startCli(args);
    await until(() => second.printed().stderr.includes('Importing'), 'it works');
    second.kill('SIGKILL');
    await second.done;
    expect(await runCli(args)).toMatchObject({ code: 0 });
    await expectHeld(cache, fake, await truths(fake, fake.names()));
    expect(await runCli(['partition', 'verify', '--origin', fake.url, ...held(fake, cache)])).toMatchObject({
      code: 0,
    });
  });

  it('damage: told, left out, exit 5; a bootstrap mends it', async () => {
    const source = tempDir();
    expect(await runCli(['cache', 'import', replicas.sqlite, '--store', 'cacache', '--cache', source])).toMatchObject({
      code: 0,
    });
    const [flipped, gone] = ['@a/b', 'a'].map((name) =>
      contentPath(source, indexRows(source).get(keyOf(fake, name))?.integrity ?? ''),
    ) as [string, string];
    const bytes = readFileSync(flipped);
    bytes.writeUInt8(bytes.readUInt8(30) ^ 1, 30);
    writeFileSync(flipped, bytes);
    rmSync(gone);
    const before = fingerprintOf(source);

    const cache = tempDir();
    const run = await runCli(['cache', 'import', source, '--store', 'sqlite', '--cache', cache]);
    expect(run.code).toBe(5);
    expect(run.stdout).toMatch(/^599 entries copied .*2 damaged/);
    for (const name of ['@a/b', 'a'])
      expect(run.stderr).toContain(`ERR_CORRUPT: the bytes of ${keyOf(fake, name)} in ${source}`);
    expect(fingerprintOf(source)).toEqual(before);
    const next = await runCli(['bootstrap', '--json', ...at(fake, cache)]);
    expect(only(next, 'done')).toMatchObject({ status: 'done', stored: 2, held: 598 });
    expect(await runCli(['packument', 'verify', ...held(fake, cache)])).toMatchObject({ code: 0 });
  });

  it('a source that may only be read, by somebody else', async ({ skip }) => {
    if (process.getuid?.() !== 0) {
      console.log('cache import as another user: skipped, only root can become somebody else');
      skip();
    }
    const source = tempDir();
    expect(await runCli(['cache', 'import', replicas.sqlite, '--cache', source])).toMatchObject({ code: 0 });
    const cache = tempDir();
    for (const path of [source, cache]) chmodSync(path, path === cache ? 0o777 : 0o755);
    const run = await runCli(['cache', 'import', source, '--cache', cache, '--store', 'sqlite'], {
      uid: 65_534,
      cwd: '/',
      env: { HOME: cache },
    });
    // The command itself may lie where others cannot go.
    if (/EACCES|permission denied/i.test(run.stderr) && run.stdout === '' && !run.stderr.includes('error ERR_')) {
      console.log(`cache import as another user: skipped, ${run.stderr.split('\n')[0]}`);
      skip();
    }
    expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(/^601 entries copied/) });
  });

  it.each<[string, string, number, () => string]>([
    ['nothing', 'ERR_CACHE_FOREIGN', 1, () => join(tempDir(), 'nowhere')],
    ['an empty directory', 'ERR_CACHE_FOREIGN', 1, () => tempDir()],
    ['a directory of something else', 'ERR_CACHE_FOREIGN', 1, () => dirname(import.meta.filename)],
    ['a file', 'ERR_CACHE_FOREIGN', 1, () => import.meta.filename],
  ])('refuses %s before anything is written', async (_title, code, exit, make) => {
    const cache = join(tempDir(), 'target');
    const run = await runCli(['cache', 'import', make(), '--cache', cache]);
    expect(run).toMatchObject({
      code: exit,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^error ${code}: .*; give the directory of a replica\\n$`)),
    });
    expect(existsSync(cache)).toBe(false);
  });

  it('refuses the replica itself', async () => {
    const run = await runCli(['cache', 'import', join(replicas.sqlite, '.'), '--cache', replicas.sqlite]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error ERR_USAGE: .*another one\n$/) });
  });

  it('a target of another kind is refused', async () => {
    const cache = tempDir();
    expect(await runCli(['cache', 'import', replicas.sqlite, '--store', 'sqlite', '--cache', cache])).toMatchObject({
      code: 0,
    });
    const run = await runCli(['cache', 'import', replicas.cacache, '--store', 'cacache', '--cache', cache]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error ERR_STORE_MISMATCH: .*cache import/) });
  });
});
