import { createPartitionKey, decodeCacheKey } from '@_all_docs/cache';
import { PartitionClient } from '@_all_docs/partition';
import { createEnv } from '@_all_docs/worker-node';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type CliEvent, COMMAND, only, runCli, startCli, tempDir, tempFile, until } from './cli.ts';
import {
  alterIndex,
  at,
  byBytes,
  contentPath,
  expectHeld,
  held,
  type IndexRow,
  indexRows,
  keyOf,
  startFake,
  truth,
  truths,
} from './replica.ts';

const LAUNCHER = resolve(import.meta.dirname, '../../workers/cli/bin/_all_docs.js');
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is looked for
const ESCAPE = /\x1b/;

const namesOf = (fake: FakeOrigin) => tempFile('names.json', JSON.stringify([...fake.names()]));

describe('--json', () => {
  it('is one event a line: start, phases, progress, coverage, done', async () => {
    const fake = await startFake({ packages: 150, seed: 61, latencyMs: 100 });
    const run = await runCli(['bootstrap', '--json', '--concurrency', '5', ...at(fake, tempDir())]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const lines = run.stdout.split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line))).toEqual(run.events);

    const types = run.events.map(({ type }) => type);
    expect([types[0], types.at(-1)]).toEqual(['start', 'done']);
    expect(new Set(types)).toEqual(new Set(['start', 'phase', 'progress', 'coverage', 'done']));
    expect(run.events.filter(({ type }) => type === 'phase').map(({ phase }) => phase)).toEqual([
      'list',
      'prove',
      'fetch',
    ]);
    const progress = run.events.filter(({ type, phase }) => type === 'progress' && phase === 'fetch');
    // Three seconds' work, an event a second.
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.length).toBeLessThan(10);
    for (const event of progress) {
      expect(event).toMatchObject({
        done: expect.any(Number),
        total: 150,
        rate: expect.any(Number),
        errors: 0,
        throttled: 0,
      });
    }
    expect(progress.map(({ done }) => done as number)).toEqual(
      progress.map(({ done }) => done as number).sort((a, b) => a - b),
    );
    expect(progress.some(({ etaSeconds, done }) => done > 0 && done < 150 && etaSeconds > 0 && etaSeconds < 20)).toBe(
      true,
    );
    expect(progress.at(-1)).toMatchObject({ done: 150, etaSeconds: 0 });
    expect(only(run, 'done')).toMatchObject({
      exitCode: 0,
      status: 'done',
      names: 150,
      stored: 150,
      requests: fake.stats().requests,
      bytes: expect.any(Number),
    });
    expect(only(run, 'done')['bytes']).toBe(fake.stats().bytes);
  });

  it('says where the replica stands: plan and progress have every field, always', async () => {
    const fake = await startFake({ packages: 100, seed: 62 });
    const run = await runCli(['bootstrap', '--json', '--names', namesOf(fake), ...at(fake, tempDir())]);
    const progress = run.events.filter(({ type }) => type === 'progress');
    expect(progress.length).toBeGreaterThan(0);
    for (const field of ['done', 'total', 'rate', 'etaSeconds', 'errors', 'throttled']) {
      expect(
        progress.filter((event) => !(field in event)),
        field,
      ).toEqual([]);
    }
  });
});

describe('--plan', () => {
  let fake: FakeOrigin;
  beforeAll(async () => {
    fake = await startFake({ packages: 12_345, seed: 63 });
  });
  beforeEach(() => fake.resetStats());

  it('of everything: a request, and the whole story', async () => {
    const args = [
      'bootstrap',
      '--plan',
      '--origin',
      fake.url,
      '--registry',
      fake.url,
      '--rate',
      '20',
      '--budget',
      '10000',
    ];
    const run = await runCli([...args, '--cache', tempDir()]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(fake.stats().requests).toBeLessThanOrEqual(3);
    expect(fake.stats().byKind).toMatchObject({ packument: 0, allDocs: 0 });
    expect(run.stdout).toMatch(
      /^packages +12,345\nrequests +12,3\d\d .*\nbytes +about .*MiB.*\ndisk +cacache: about .*files; sqlite: about .* in one file\ntime +10 min at 20 requests a second\nbudget +10,000, 0 used this month: it takes 2 months\n$/,
    );

    const json = await runCli([...args, '--cache', tempDir(), '--json']);
    expect(json.events).toEqual([
      {
        type: 'plan',
        packages: 12_345,
        requests: { list: expect.any(Number), packuments: 12_345, total: expect.any(Number) },
        bytes: expect.any(Number),
        diskBytes: expect.any(Number),
        files: expect.any(Number),
        stores: {
          cacache: { diskBytes: expect.any(Number), files: expect.any(Number) },
          sqlite: { diskBytes: expect.any(Number), files: 1 },
        },
        hours: expect.closeTo(0.17, 2),
        bytesPerPackument: expect.any(Number),
        bytesPerPackumentFrom: 'an assumed mean',
        rate: 20,
        budget: { limit: 10_000, used: 0, months: 2 },
      },
    ]);
    const { requests } = json.events[0] as CliEvent;
    expect(requests.total).toBe(requests.list + requests.packuments);
  });

  it('of a range: counts it by three requests at most', async () => {
    const run = await runCli(['bootstrap', '--plan', '--json', '--start', 'b', '--end', 'm', ...at(fake, tempDir())]);
    expect(fake.stats().requests).toBeLessThanOrEqual(3);
    const names = [...fake.names()].filter((name) => byBytes(name, 'b') >= 0 && byBytes(name, 'm') < 0);
    expect(only(run, 'plan')).toMatchObject({ packages: names.length, rate: null, hours: 0 });
  });

  it('of --depth names: no documents', async () => {
    const run = await runCli(['bootstrap', '--plan', '--json', '--depth', 'names', ...at(fake, tempDir())]);
    expect(only(run, 'plan')).toMatchObject({ packages: 12_345, requests: { packuments: 0 } });
  });

  it('of names and of lockfiles: asks nobody', async () => {
    const run = await runCli([
      'bootstrap',
      '--plan',
      '--json',
      '--names',
      tempFile('names.txt', 'a\nb\n'),
      ...at(fake, tempDir()),
    ]);
    expect(only(run, 'plan')).toMatchObject({ packages: 2, requests: { list: 0, packuments: 2, total: 2 } });
    const lock = tempFile(
      'package-lock.json',
      '{"lockfileVersion":3,"packages":{"node_modules/a":{"version":"1.0.0"}}}',
    );
    expect(
      only(await runCli(['bootstrap', '--plan', '--json', '--lockfile', lock, ...at(fake, tempDir())]), 'plan'),
    ).toMatchObject({ packages: 1 });
    expect(fake.stats().requests).toBe(0);
  });
});

describe('--budget', () => {
  it('stops before the request too many, says so, and goes on with a higher one', async () => {
    const fake = await startFake({ packages: 200, seed: 64 });
    const cache = tempDir();
    const args = ['bootstrap', '--json', '--names', namesOf(fake), ...at(fake, cache)];
    const first = await runCli([...args, '--budget', '73']);
    expect(first.code).toBe(4);
    expect(fake.stats().requests).toBe(73);
    expect(only(first, 'done')).toMatchObject({ status: 'throttled', exitCode: 4, stored: 73, failed: 0 });
    expect(only(first, 'error')).toMatchObject({
      code: 'ERR_BUDGET_EXHAUSTED',
      message: expect.stringContaining('--budget'),
    });

    const again = await runCli([...args, '--budget', '73']);
    expect(again.code).toBe(4);
    expect(fake.stats().requests).toBe(73);

    const second = await runCli([...args, '--budget', '150']);
    expect(second.code).toBe(4);
    expect(fake.stats().requests).toBe(150);
    const status = only(
      await runCli(
        ['status', '--json', '--budget', '150', ...held(fake, cache)].filter(
          (flag, i, all) => flag !== '--budget' && all[i - 1] !== '--budget',
        ),
      ),
      'status',
    );
    expect(status).toMatchObject({ packuments: 150, failed: 0 });

    const third = await runCli([...args, '--budget', '1000']);
    expect(third).toMatchObject({ code: 0 });
    expect(fake.stats().requests).toBeLessThanOrEqual(200 + 30);
    await expectHeld(cache, fake, await truths(fake, fake.names()));
  });

  it('counts for all commands on the cache together', async () => {
    const fake = await startFake({ packages: 100, seed: 65 });
    const cache = tempDir();
    const fetchTwo = ['packument', 'fetch', 'a', 'jquery', '--budget', '3', ...at(fake, cache)];
    expect(await runCli(fetchTwo)).toMatchObject({ code: 0 });
    const second = await runCli(fetchTwo);
    expect(second).toMatchObject({
      code: 4,
      stdout: 'a\tunchanged\n',
      stderr: expect.stringMatching(/^error ERR_BUDGET_EXHAUSTED: .*\n$/),
    });
    expect(fake.stats().requests).toBe(3);
  });
});

describe('for people', () => {
  let fake: FakeOrigin;
  beforeAll(async () => {
    fake = await startFake({ packages: 150, seed: 66 });
  });

  it('is plain lines on stderr when nobody watches', async () => {
    const run = await runCli(['bootstrap', ...at(fake, tempDir())]);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).not.toMatch(ESCAPE);
    expect(run.stderr).toMatch(
      /^Listing names\nProving coverage\nFetching packuments\nComplete in \d+ s\.\n {2}150 names\n {2}packuments: 150 fetched\n/,
    );
    expect(run.stderr).toMatch(
      / {2}154 requests, .* received\n {2}coverage holds: 1 partitions touch, 150 rows in order, .*\n$/,
    );
  });

  it('says what went wrong, and what to do', async () => {
    const other = await startFake({ packages: 100, seed: 67, faults: [{ fault: 'empty', path: '^/jquery$' }] });
    const run = await runCli(['bootstrap', '--names', tempFile('names.txt', 'a\njquery\n'), ...at(other, tempDir())]);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(
      /\nERR_BAD_PACKUMENT: .*jquery.*\n(.*\n)*Incomplete in .*\n {2}2 names\n {2}packuments: 1 fetched, 1 failed\n(.*\n)* {2}see what failed with: _all_docs status/,
    );
  });

  const script = spawnSync('script', ['--version']).status === 0 ? it : it.skip;
  script('draws live progress on a terminal, and plain lines with NO_COLOR, CI or a dumb one', async () => {
    const slow = await startFake({ packages: 100, seed: 68, latencyMs: 50 });
    const onTerminal = (env: Record<string, string>) => {
      const args = ['-qec', onScreen([COMMAND, 'bootstrap', ...at(slow, tempDir())]), '/dev/null'];
      return runCli(args, { program: 'script', env: { TERM: 'xterm-256color', SHELL: '/bin/sh', ...env } });
    };
    const [live, plain, ci, dumb] = await Promise.all([
      onTerminal({}),
      onTerminal({ NO_COLOR: '1' }),
      onTerminal({ CI: '1' }),
      onTerminal({ TERM: 'dumb' }),
    ]);
    expect(live.code).toBe(0);
    expect(live.stdout).toMatch(ESCAPE);
    expect(live.stdout).toMatch(/Fetching packuments: \d+ of 100 \(\d+ %\), \d/);
    expect(live.stdout).toMatch(/Complete in \d+ s\./);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
    expect(plain.stdout).not.toMatch(/\x1b\[[\d;]*m/);
    expect(plain.stdout).toMatch(/Complete in \d+ s\./);
    for (const run of [ci, dumb]) {
      expect(run.code).toBe(0);
      expect(run.stdout).not.toMatch(ESCAPE);
      expect(run.stdout).toMatch(/Fetching packuments\r?\nComplete in/);
    }
  });

  script('leaves the terminal as it was when it is interrupted or fails', async () => {
    const slow = await startFake({ packages: 100, seed: 69, latencyMs: 200 });
    const env = { TERM: 'xterm-256color', SHELL: '/bin/sh' };
    const running = startCli(['-qec', onScreen([COMMAND, 'bootstrap', ...at(slow, tempDir())]), '/dev/null'], {
      program: 'script',
      env,
    });
    await until(() => slow.stats().byKind.packument > 20, 'it is at work');
    // As a terminal would: to the command, by its own id.
    const [pid] = childrenOf(running.child.pid as number);
    process.kill(pid as number, 'SIGINT');
    const run = await running.done;
    expect(run.code).toBe(130);
    expect(run.stdout).toMatch(ESCAPE);
    expect(run.stdout).toMatch(/Interrupted; everything stored so far is kept/);
    expect(hidesCursor(run.stdout)).toBe(false);

    const failed = await runCli(
      [
        '-qec',
        onScreen([COMMAND, 'bootstrap', '--origin', `${slow.url}/a`, '--registry', slow.url, '--cache', tempDir()]),
        '/dev/null',
      ],
      { program: 'script', env },
    );
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/error ERR_NOT_REGISTRY: /);
    expect(hidesCursor(failed.stdout)).toBe(false);
  });

  it.each([
    [['--help'], /Usage: _all_docs/],
    [['bootstrap', '--help'], /--lockfile <file>/],
    [['partition', '--help'], /verify/],
    [['help'], /Usage: _all_docs/],
    [['--version'], /^\d+\.\d+\.\d+\S*\n$/],
  ])('%s: exits 0', async (args, says) => {
    expect(await runCli(args)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(says) });
  });
});

/** The command in a shell on a terminal of an ordinary size. */
function onScreen(words: readonly string[]): string {
  return `stty cols 120 rows 30; exec ${words.map((word) => `'${word}'`).join(' ')}`;
}

/** Whether the cursor is hidden after all that was written. */
function hidesCursor(text: string): boolean {
  return text.lastIndexOf('\x1b[?25l') > text.lastIndexOf('\x1b[?25h');
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
}

describe('what is stored', () => {
  let fake: FakeOrigin;
  let cache: string;
  beforeAll(async () => {
    fake = await startFake({ packages: 1_500, seed: 70 });
    cache = tempDir();
    const pivots = tempFile('pivots.json', '["d","m","t"]');
    expect(await runCli(['bootstrap', '--pivots', pivots, ...at(fake, cache)])).toMatchObject({ code: 0 });
  });

  it('cache ls: every key, in the order of bytes, by prefix', async () => {
    const all = await runCli(['cache', 'ls', '--cache', cache]);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    const keys = all.stdout.trimEnd().split('\n');
    expect(keys).toEqual([...keys].sort(byBytes));
    expect(keys).toEqual([...indexRows(cache).keys()].sort(byBytes));
    expect(keys.length).toBe(1_504);
    expect(keys.filter((key) => decodeCacheKey(key).type === 'packument').length).toBe(1_500);

    const partitions = await runCli(['cache', 'ls', 'v1:partition:', '--cache', cache]);
    expect(partitions.stdout.trimEnd().split('\n')).toEqual(keys.filter((key) => key.startsWith('v1:partition:')));
    expect(await runCli(['cache', 'ls', 'v1:tarball:', '--cache', cache])).toMatchObject({ code: 0, stdout: '' });
    expect(await runCli(['cache', 'ls', 'v1_', '--cache', cache])).toMatchObject({ code: 0, stdout: '' });
  });

  it('cache ls | head -1: ends without noise', async () => {
    const run = await runCli(['-c', `{ "$0" cache ls --cache "$1"; echo "code $?" >&2; } | head -1`, COMMAND, cache], {
      program: 'sh',
    });
    expect(run).toMatchObject({ code: 0, stderr: 'code 0\n', stdout: expect.stringMatching(/^v1:\S+\n$/) });
  });

  it('cache get: the body, unpacked, or what is known of it', async () => {
    const key = keyOf(fake, '@a/b');
    const body = await runCli(['cache', 'get', key, '--cache', cache]);
    expect(body.stdout).toBe((await truth(fake, '@a/b')).text);
    const about = await runCli(['cache', 'get', '--metadata', key, '--cache', cache]);
    const { raw, headers } = (await truth(fake, '@a/b')) as unknown as { raw: Buffer; headers: Record<string, string> };
    expect(JSON.parse(about.stdout)).toMatchObject({
      encoding: 'gzip',
      size: raw.length,
      etag: headers['etag'],
      rev: fake.rev('@a/b'),
      storedAt: expect.any(Number),
    });
  });

  it('cache stats: entries and bytes by kind', async () => {
    const rows = [...indexRows(cache)];
    const sum = (type: string) =>
      rows.filter(([key]) => key.startsWith(`v1:${type}:`)).reduce((bytes, [, { size }]) => bytes + size, 0);
    const stats = only(await runCli(['cache', 'stats', '--json', '--cache', cache]), 'stats');
    expect(stats).toEqual({
      type: 'stats',
      cache,
      entries: 1_504,
      bytes: sum('packument') + sum('partition'),
      kinds: {
        packument: { entries: 1_500, bytes: sum('packument') },
        partition: { entries: 4, bytes: sum('partition') },
      },
    });
    const text = await runCli(['cache', 'stats', '--cache', cache]);
    expect(text.stdout).toMatch(/^packument\t1,500 entries\t.*\npartition\t4 entries\t.*\ntotal\t1,504 entries\t.*\n$/);
  });

  it('partition ls: ranges in the order of their names, with their rows', async () => {
    const args = ['partition', 'ls', '--origin', fake.url, ...held(fake, cache)];
    const names = [...fake.names()];
    const count = (start: string | null, end: string | null) =>
      names.filter((name) => (start === null || byBytes(name, start) >= 0) && (end === null || byBytes(name, end) < 0))
        .length;
    const ranges = [
      [null, 'd'],
      ['d', 'm'],
      ['m', 't'],
      ['t', null],
    ] as const;
    const text = await runCli(args);
    expect(text.stdout).toBe(
      ranges.map(([start, end]) => `${start ?? ''}\t${end ?? ''}\t${count(start, end)}\n`).join(''),
    );
    const json = await runCli([...args, '--json']);
    expect(json.events).toEqual(
      ranges.map(([startKey, endKey]) => ({ type: 'partition', startKey, endKey, rows: count(startKey, endKey) })),
    );
  });

  it('status: as text and as an event', async () => {
    const text = await runCli(['status', '--origin', fake.url, ...held(fake, cache)]);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(
      /^cache +\S+\nregistry +\S+\nheld +1,500 packuments\noutcomes +0 failed, 0 without.*\nrun +\d{4}-\S+ +\[first to last\), depth packuments: done, 100 % listed, 100 % fetched\n$/,
    );
    const event = only(await runCli(['status', '--json', '--origin', fake.url, ...held(fake, cache)]), 'status');
    expect(event).toMatchObject({
      cache,
      origin: fake.url,
      registry: fake.url,
      packuments: 1_500,
      abbreviated: 0,
      absent: 0,
      failed: 0,
      failures: [],
    });
    expect(event['runs']).toMatchObject([
      {
        state: 'done',
        percentListed: 100,
        percentFetched: 100,
        depth: 'packuments',
        selection: { kind: 'range', startKey: null, endKey: null },
      },
    ]);
  });

  it('an empty cache is no error', async () => {
    const empty = tempDir();
    expect(await runCli(['cache', 'ls', '--cache', empty])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await runCli(['cache', 'stats', '--cache', empty])).toMatchObject({
      code: 0,
      stdout: 'total\t0 entries\t0 B\n',
    });
    expect(await runCli(['status', ...held(fake, empty)])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('held       0 packuments'),
    });
    expect(await runCli(['partition', 'ls', '--origin', fake.url, ...held(fake, empty)])).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(await runCli(['packument', 'verify', ...held(fake, empty)])).toMatchObject({ code: 0 });
  });
});

describe('verify', () => {
  const PIVOTS = ['d', 'm', 't'];

  async function listed(): Promise<{
    fake: FakeOrigin;
    cache: string;
    verify: string[];
    again: string[];
    key: string;
  }> {
    const fake = await startFake({ packages: 300, seed: 71 });
    const cache = tempDir();
    const again = [
      'partition',
      'fetch',
      '--pivots',
      tempFile('pivots.json', JSON.stringify(PIVOTS)),
      ...at(fake, cache),
    ];
    expect(await runCli(again)).toMatchObject({ code: 0 });
    return {
      fake,
      cache,
      verify: ['partition', 'verify', '--origin', fake.url, ...held(fake, cache)],
      again,
      key: createPartitionKey('d', 'm', fake.url),
    };
  }

  it('partition verify: holds, and prints the proof', async () => {
    const { verify } = await listed();
    const run = await runCli(verify);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toBe(
      'coverage holds: 4 partitions touch, 300 rows in order, the origin counted 300 before and 300 after (0 changes between)\n',
    );
    const json = await runCli([...verify, '--json']);
    expect(only(json, 'coverage')).toMatchObject({
      holds: true,
      partitions: 4,
      rows: 300,
      problems: [],
      total: { before: 300, after: 300, moved: 0, agrees: true },
    });
  });

  it('partition verify: exits 3 when a partition is gone', async () => {
    const { cache, verify, again, key } = await listed();
    alterIndex(cache, 'DELETE FROM rows WHERE key = ?', `entry:${key}`);
    const run = await runCli(verify);
    expect(run.code).toBe(3);
    expect(run.stdout).toMatch(/^coverage DOES NOT HOLD: .*\n(.*\n)*missing: \[d-m\] is not held\n/);
    expect(only(await runCli([...verify, '--json']), 'coverage')).toMatchObject({ holds: false });
    expect(await runCli(again)).toMatchObject({ code: 0 });
    expect(await runCli(verify)).toMatchObject({ code: 0 });
  });

  it('partition verify: exits 3 when the bytes of a partition are gone', async () => {
    const { cache, verify, key } = await listed();
    rmSync(contentPath(cache, (indexRows(cache).get(key) as IndexRow).integrity));
    const run = await runCli(verify);
    expect(run.code).toBe(3);
    expect(run.stdout).toMatch(/missing: \[d-m\] is not held\n/);
  });

  it('partition verify: exits 3 when a partition is damaged, and a new pass mends it', async () => {
    const { cache, verify, again, key } = await listed();
    flipByte(contentPath(cache, (indexRows(cache).get(key) as IndexRow).integrity));
    const run = await runCli(verify);
    expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 3, stderr: '' });
    expect(run.stdout).toMatch(/^coverage DOES NOT HOLD: /);
    expect(run.stdout).toContain('[d-m]');
    expect(await runCli(again)).toMatchObject({ code: 0 });
    expect(await runCli(verify)).toMatchObject({ code: 0 });
  });

  it.each([
    ['a row less', (rows: { id: string }[]) => rows.slice(1), /count: \[d-m\] was completed with/],
    [
      'two rows in the wrong order',
      ([first, second, ...rest]: { id: string }[]) => [second, first, ...rest],
      /order: \[d-m\]: /,
    ],
    ['a row twice', ([first, ...rest]: { id: string }[]) => [first, first, ...rest], /order: \[d-m\]: /],
    [
      'a row of another range',
      (rows: { id: string }[]) => [...rows.slice(0, -1), { ...rows.at(-1), id: 'zzz' }],
      /outside: "zzz" does not belong to \[d-m\]/,
    ],
  ])('partition verify: exits 3 for %s', async (_title, bend, says) => {
    const { fake, cache, verify } = await listed();
    const env = await createEnv({ cache, origin: fake.url, registry: fake.url });
    const client = new PartitionClient({ env });
    const range = { startKey: 'd', endKey: 'm' };
    const rows = await client.held(range);
    await client.store(range, bend(rows ?? []) as NonNullable<typeof rows>, 300);
    await env.close();
    const run = await runCli(verify);
    expect(run.code).toBe(3);
    expect(run.stdout).toMatch(says);
  });

  it('packument verify: exits 5 when a byte flipped, names it, and a fetch mends it', async () => {
    const fake = await startFake({ packages: 120, seed: 72 });
    const cache = tempDir();
    const args = ['bootstrap', '--names', namesOf(fake), ...at(fake, cache)];
    expect(await runCli(args)).toMatchObject({ code: 0 });
    const verify = ['packument', 'verify', ...held(fake, cache)];
    expect(await runCli(verify)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^120 packuments .*, 0 damaged\n$/),
    });

    flipByte(contentPath(cache, (indexRows(cache).get(keyOf(fake, 'jquery')) as IndexRow).integrity));
    const run = await runCli(verify);
    expect(run.code).toBe(5);
    expect(run.stdout).toMatch(/^jquery\tERR_CORRUPT: .*\n120 packuments .*, 1 damaged\n$/);
    const shown = await runCli(['packument', 'show', 'jquery', ...held(fake, cache)]);
    expect(shown.code).not.toBe(0);
    expect(shown.stdout).toBe('');
    expect(await runCli(['packument', 'fetch', 'jquery', ...at(fake, cache)])).toMatchObject({ code: 0 });
    expect(await runCli(verify)).toMatchObject({ code: 0 });
    await expectHeld(cache, fake, await truths(fake, fake.names()));
  });

  it('packument verify --json, by name, and of a name that is not held', async () => {
    const fake = await startFake({ packages: 120, seed: 73 });
    const cache = tempDir();
    expect(await runCli(['packument', 'fetch', 'a', 'jquery', ...at(fake, cache)])).toMatchObject({ code: 0 });
    flipByte(contentPath(cache, (indexRows(cache).get(keyOf(fake, 'jquery')) as IndexRow).integrity));
    const verify = ['packument', 'verify', '--json', ...held(fake, cache)];
    expect(await runCli([...verify, 'a'])).toMatchObject({
      code: 0,
      events: [{ type: 'done', packuments: 1, problems: 0 }],
    });
    expect(await runCli([...verify, 'jquery', 'not-held'])).toMatchObject({
      code: 5,
      events: [
        { type: 'error', name: 'jquery', code: 'ERR_CORRUPT' },
        { type: 'error', name: 'not-held', code: 'ERR_NOT_HELD' },
        { type: 'done', packuments: 2, problems: 2 },
      ],
    });
  });

  it('a document whose bytes are gone is fetched whole again by the next bootstrap', async () => {
    const fake = await startFake({ packages: 120, seed: 74 });
    const cache = tempDir();
    const args = ['bootstrap', '--json', '--names', tempFile('names.txt', 'a\njquery\n'), ...at(fake, cache)];
    expect(await runCli(args)).toMatchObject({ code: 0 });
    rmSync(contentPath(cache, (indexRows(cache).get(keyOf(fake, 'jquery')) as IndexRow).integrity));
    expect(await runCli(args)).toMatchObject({ code: 0 });
    await expectHeld(cache, fake, await truths(fake, ['a', 'jquery']));
  });
});

/** cacache writes its files read-only. */
function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] as number) ^ 0x01;
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}

describe('the launcher under an older Node', () => {
  const PATH = (process.env['PATH'] ?? '')
    .split(':')
    .filter((directory) => !directory.includes('node_modules'))
    .join(':');
  const version = spawnSync('node', ['--version'], { env: { PATH }, encoding: 'utf8' }).stdout?.trim() ?? 'none';
  const old = version.startsWith('v20.');
  if (!old) console.log(`skipped: the machine's own node is ${version}, not v20`);
  const options = { program: 'node', env: { PATH } };

  it.skipIf(!old)('does all that the command does', async () => {
    const fake = await startFake({ packages: 100, seed: 81 });
    const cache = tempDir();
    expect(await runCli([LAUNCHER, '--version'], options)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/^\d/),
    });
    const run = await runCli([LAUNCHER, 'bootstrap', '--json', '--names', '-', ...at(fake, cache)], {
      ...options,
      input: 'a\n@a/b\n',
    });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    await expectHeld(cache, fake, await truths(fake, ['a', '@a/b']));
    expect(await runCli([LAUNCHER, 'bootstrap', '--fast'], options)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error ERR_USAGE: .*\n$/),
    });
  });

  it.skipIf(!old).each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('hands %s on: exits %i, tidily', async (signal, code) => {
    const fake = await startFake({ packages: 200, seed: 82, latencyMs: 30 });
    const cache = tempDir();
    const running = startCli(
      [LAUNCHER, 'bootstrap', '--json', '--names', namesOf(fake), '--concurrency', '4', ...at(fake, cache)],
      options,
    );
    await until(() => fake.stats().byKind.packument > 30, 'it is at work');
    running.kill(signal);
    const run = await running.done;
    expect({ code: run.code, signal: run.signal, stderr: run.stderr }).toEqual({ code, signal: null, stderr: '' });
    expect(only(run, 'done')).toMatchObject({ status: 'interrupted' });
  });

  it.skipIf(!old || !existsSync('/proc/self/task'))('killed by SIGKILL, leaves no child behind', async () => {
    const fake = await startFake({ packages: 400, seed: 83, latencyMs: 50 });
    const running = startCli(
      [LAUNCHER, 'bootstrap', '--json', '--names', namesOf(fake), '--concurrency', '2', ...at(fake, tempDir())],
      options,
    );
    await until(() => fake.stats().byKind.packument > 20, 'it is at work');
    const [child] = childrenOf(running.child.pid as number);
    expect(child).toBeGreaterThan(0);
    running.kill('SIGKILL');
    expect(await running.done).toMatchObject({ signal: 'SIGKILL' });
    await until(
      () => !existsSync(`/proc/${child}`) || readFileSync(`/proc/${child}/stat`, 'utf8').split(') ')[1]?.[0] === 'Z',
      'the child ends',
      5_000,
    );
    const asked = fake.stats().requests;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(fake.stats().requests).toBe(asked);
  });

  it('has no trace of its own in the directory it is called from', async () => {
    const cwd = tempDir();
    expect(await runCli(['--version'], { cwd })).toMatchObject({ code: 0 });
    expect(readdirSync(cwd)).toEqual([]);
    expect(join(cwd, '.')).toBe(cwd);
  });
});
