import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { only, runCli, tempDir, tempFile } from './cli.ts';
import { at, expectHeld, startFake, truths } from './replica.ts';

describe('packument fetch-list', () => {
  let fake: FakeOrigin;
  beforeAll(async () => {
    fake = await startFake({ packages: 120, seed: 85 });
  });
  beforeEach(() => fake.resetStats());

  const NAMES = ['a', '@a/b', 'jquery'];

  it.each<[string, () => string, string | undefined]>([
    ['one a line', () => tempFile('names.txt', '# three\na\r\n\n@a/b\njquery\na\n'), undefined],
    ['a JSON array', () => tempFile('names.json', JSON.stringify(NAMES)), undefined],
    ['standard input', () => '-', 'jquery\na\n@a/b'],
    ['JSON from standard input', () => '-', JSON.stringify(NAMES)],
  ])('%s', async (_title, file, input) => {
    const cache = tempDir();
    const run = await runCli(
      ['packument', 'fetch-list', file(), '--json', ...at(fake, cache)],
      input === undefined ? {} : { input },
    );
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(only(run, 'done')).toMatchObject({ status: 'done', names: 3, stored: 3 });
    expect(fake.stats()).toMatchObject({ requests: 3, byKind: { packument: 3 } });
    await expectHeld(cache, fake, await truths(fake, NAMES));
  });

  it('is the same work as bootstrap --names', async () => {
    const cache = tempDir();
    const file = tempFile('names.txt', NAMES.join('\n'));
    const one = await runCli(['packument', 'fetch-list', file, '--json', ...at(fake, cache)]);
    const two = await runCli(['bootstrap', '--names', file, '--json', ...at(fake, cache)]);
    expect(only(two, 'done')).toMatchObject({ run: only(one, 'done')['run'], unchanged: 3 });
  });

  it('--form, --check and --store', async () => {
    const cache = tempDir();
    const file = tempFile('names.txt', NAMES.join('\n'));
    const flags = ['--form', 'abbreviated', '--check', 'parse', '--store', 'sqlite'];
    expect(await runCli(['packument', 'fetch-list', file, ...flags, ...at(fake, cache)])).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/3 fetched/),
    });
    const keys = await runCli(['cache', 'ls', '--cache', cache]);
    expect(keys.stdout.match(/^v1:abbreviated:/gm)?.length).toBe(3);
    expect(only(await runCli(['cache', 'size', '--json', '--cache', cache]), 'size')).toMatchObject({
      store: 'sqlite',
    });
  });

  it('names that fail or are not there', async () => {
    const run = await runCli(['packument', 'fetch-list', '-', '--json', ...at(fake, tempDir())], {
      input: 'a\nnot-there',
    });
    expect(run.code).toBe(0);
    expect(only(run, 'done')).toMatchObject({ stored: 1, absent: 1 });
  });

  it.each<[string, string, string]>([
    ['no name', '\n# none\n', 'ERR_BAD_NAMES'],
    ['half a JSON array', '["a"', 'ERR_BAD_NAMES'],
    ['a bad name', 'a\n../b\n', 'ERR_BAD_NAME'],
  ])('refuses %s', async (_title, input, code) => {
    const run = await runCli(['packument', 'fetch-list', '-', ...at(fake, tempDir())], { input });
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(new RegExp(`^error ${code}: `)) });
    expect(fake.stats().requests).toBe(0);
  });

  it('refuses a file that is not there, and none', async () => {
    const cache = tempDir();
    expect(await runCli(['packument', 'fetch-list', 'nowhere.txt', ...at(fake, cache)])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error ERR_NO_FILE: /),
    });
    expect(await runCli(['packument', 'fetch-list', ...at(fake, cache)])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error ERR_USAGE: /),
    });
  });
});
