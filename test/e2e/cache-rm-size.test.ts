import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { only, runCli, tempDir, tempFile } from './cli.ts';
import { at, keyOf, startFake } from './replica.ts';

let fake: FakeOrigin;
beforeAll(async () => {
  fake = await startFake({ packages: 120, seed: 81 });
});

const STORES = ['cacache', 'sqlite'] as const;
const names = () => [...fake.names()].slice(0, 40);

async function replica(store: (typeof STORES)[number]): Promise<string> {
  const cache = tempDir();
  const list = tempFile('names.txt', names().join('\n'));
  expect(await runCli(['bootstrap', '--names', list, '--store', store, ...at(fake, cache)])).toMatchObject({ code: 0 });
  return cache;
}

async function keysOf(cache: string): Promise<string[]> {
  return (await runCli(['cache', 'ls', '--cache', cache])).stdout.split('\n').filter(Boolean);
}

describe.each(STORES)('cache rm, %s', (store) => {
  it('removes exactly the keys given, and says what is not held', async () => {
    const cache = await replica(store);
    const before = await keysOf(cache);
    const [first, second, third] = before as [string, string, string];
    expect(await runCli(['cache', 'rm', first, '--cache', cache])).toMatchObject({
      code: 0,
      stdout: '1 entry removed\n',
      stderr: '',
    });
    const mixed = await runCli(['cache', 'rm', second, 'v1:not:held', third, first, third, '--cache', cache]);
    expect(mixed).toMatchObject({ code: 1, stdout: '2 entries removed\n' });
    expect(mixed.stderr).toMatch(/^error ERR_NOT_HELD: .*v1:not:held and for 1 more; .*cache ls\n$/);
    expect(await keysOf(cache)).toEqual(before.slice(3));

    const json = await runCli(['cache', 'rm', '--json', before[3] as string, 'nothing', '--cache', cache]);
    expect(json.code).toBe(1);
    expect(json.events).toEqual([
      { type: 'done', removed: 1, missing: 1 },
      { type: 'error', code: 'ERR_NOT_HELD', message: expect.stringContaining('nothing') },
    ]);
    // The next bootstrap holds them again.
    const list = tempFile('names.txt', names().join('\n'));
    const again = await runCli(['bootstrap', '--names', list, '--json', ...at(fake, cache)]);
    expect(only(again, 'done')).toMatchObject({ stored: 4, unchanged: 36 });
    expect(await keysOf(cache)).toEqual(before);
  });

  it('--prefix: all that begin so, none, and never everything by a slip', async () => {
    const cache = await replica(store);
    const before = await keysOf(cache);
    const some = before.filter((key) => key.startsWith((before[20] as string).slice(0, -2)));
    expect(
      await runCli(['cache', 'rm', '--prefix', (before[20] as string).slice(0, -2), '--cache', cache]),
    ).toMatchObject({
      code: 0,
      stdout: some.length === 1 ? '1 entry removed\n' : `${some.length} entries removed\n`,
    });
    expect(await runCli(['cache', 'rm', '--prefix', 'v1:tarball:', '--cache', cache])).toMatchObject({
      code: 0,
      stdout: '0 entries removed\n',
    });
    for (const args of [['--prefix', ''], [], [before[0] as string, '--prefix', 'v1']]) {
      const run = await runCli(['cache', 'rm', ...args, '--cache', cache]);
      expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^error ERR_USAGE: \S.*\n$/) });
    }
    // A key that is none is told before anything is removed.
    expect(await runCli(['cache', 'rm', before[0] as string, '', '--cache', cache])).toMatchObject({ code: 2 });
    expect(await keysOf(cache)).toEqual(before.filter((key) => !some.includes(key)));
    const all = await runCli(['cache', 'rm', '--prefix', 'v1:', '--json', '--cache', cache]);
    expect(all.events).toEqual([{ type: 'done', removed: before.length - some.length, missing: 0 }]);
    expect(await keysOf(cache)).toEqual([]);
  });
});

describe.each(STORES)('cache size, %s', (store) => {
  it('entries, bytes, and what the directory takes', async () => {
    const cache = await replica(store);
    const event = only(await runCli(['cache', 'size', '--json', '--cache', cache]), 'size');
    const stats = only(await runCli(['cache', 'stats', '--json', '--cache', cache]), 'stats');
    expect(event).toEqual({
      type: 'size',
      cache,
      store,
      entries: 40,
      bytes: stats['bytes'],
      documents: { entries: 40, bytes: stats['bytes'] },
      derived: { entries: 0, bytes: 0 },
      tarballs: { rows: 0, pinned: 0, blobs: 0, bytes: 0, diskBytes: 0 },
      indexBytes: expect.any(Number),
      diskBytes: expect.any(Number),
      files: expect.any(Number),
    });
    const files = readdirSync(cache, { recursive: true, withFileTypes: true });
    const allocated = files.reduce(
      (sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).blocks * 512,
      0,
    );
    // While the command looks, SQLite has its log beside the file.
    expect(Math.abs(event['diskBytes'] - allocated - statSync(cache).blocks * 512)).toBeLessThan(1024 * 1024);
    expect(event['files']).toBeGreaterThanOrEqual(files.filter((file) => file.isFile()).length);
    expect(event['files']).toBeGreaterThan(store === 'cacache' ? 80 : 1);
    if (store === 'sqlite') expect(event['files']).toBeLessThan(10);
    const text = await runCli(['cache', 'size', '--cache', cache]);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(
      new RegExp(
        `^entries +40\\nbytes +\\S+ \\S*B\\ndocuments +40, .*\\nderived +0, 0 B\\n(?:.*\\n){3}disk +\\S+ \\S*B in \\d+ files \\(${store}\\)\\n$`,
      ),
    );
  });

  it('of an empty cache', async () => {
    const event = only(await runCli(['cache', 'size', '--json', '--cache', tempDir()]), 'size');
    expect(event).toMatchObject({ entries: 0, bytes: 0 });
  });

  it('agrees with the keys of single entries', async () => {
    const cache = await replica(store);
    const key = keyOf(fake, names()[0] as string);
    const size = async () =>
      only(await runCli(['cache', 'size', '--json', '--cache', cache]), 'size')['bytes'] as number;
    const about = JSON.parse((await runCli(['cache', 'get', '--metadata', key, '--cache', cache])).stdout);
    const before = await size();
    await runCli(['cache', 'rm', key, '--cache', cache]);
    expect(await size()).toBe(before - about.size);
  });
});
