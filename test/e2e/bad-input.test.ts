import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type CliOptions, type CliRun, runCli, tempDir, tempFile } from './cli.ts';
import { at, expectHeld, startFake, truths } from './replica.ts';

/** What a mistake looks like: its code, its exit code, and what the message must name. */
interface Mistake {
  code: string;
  exit: number;
  says?: RegExp;
}

const NAMES = ['a', '@a/b', 'jquery'];
let fake: FakeOrigin;
/** A replica that was whole before any mistake, and must be so after it. */
let cache: string;
let before: Map<string, Buffer>;

beforeAll(async () => {
  fake = await startFake({ packages: 120, seed: 51 });
  cache = tempDir();
  const run = await runCli(['bootstrap', '--names', tempFile('names.txt', NAMES.join('\n')), ...at(fake, cache)]);
  expect(run).toMatchObject({ code: 0 });
  before = await truths(fake, NAMES);
});

/** One line that names the code and says what to do next, and nothing of how the program is made. */
function expectMistake({ code, signal, stdout, stderr }: CliRun, { code: wanted, exit, says }: Mistake): void {
  expect({ code, signal, stdout, lines: stderr.split('\n').length }, stderr).toEqual({
    code: exit,
    signal: null,
    stdout: '',
    lines: 2,
  });
  expect(stderr).toMatch(new RegExp(`^error ${wanted}: \\S.*\\n$`));
  expect(stderr, 'a next step').toMatch(
    /; \S|\b(use|give|choose|check|see|must|put one|allowed choices|did you mean)\b/i,
  );
  expect(stderr).not.toMatch(/\n\s+at |\bundefined\b|\[object/);
  if (says) expect(stderr).toMatch(says);
}

/** With --json the same line is on stderr, and one event says it on stdout too. */
async function expectBoth(args: readonly string[], mistake: Mistake, options: CliOptions = {}): Promise<void> {
  const run = await runCli([...args, '--json'], options);
  expectMistake({ ...run, stdout: '' }, mistake);
  expect(run.events).toEqual([{ type: 'error', code: mistake.code, message: expect.stringMatching(/\S/) }]);
  const [event] = run.events;
  expect(run.stdout).toBe(`${JSON.stringify(event)}\n`);
  expect(run.stderr).toBe(`error ${mistake.code}: ${event?.['message']}\n`);
}

describe.concurrent('files', () => {
  const pivots = (file: string, text: string) => () => ['bootstrap', '--pivots', tempFile(file, text)];
  const names = (text: string) => () => ['bootstrap', '--names', tempFile('names.txt', text)];
  const lockfile = (file: string, text: string) => () => ['bootstrap', '--lockfile', tempFile(file, text)];
  const [badPivots, badNames, badLockfile] = ['ERR_BAD_PIVOTS', 'ERR_BAD_NAMES', 'ERR_BAD_LOCKFILE'].map((code) => ({
    code,
    exit: 2,
  })) as [Mistake, Mistake, Mistake];

  it.each<[string, () => string[], Mistake]>([
    ['pivots that are not sorted', pivots('p.json', '["b","a"]'), { ...badPivots, says: /"a".*"b".*sort/ }],
    ['pivots sorted by UTF-16', pivots('p.json', '["\\ud83d\\ude00","\\uff5e"]'), badPivots],
    ['a pivot twice', pivots('p.json', '["a","a"]'), { ...badPivots, says: /twice/ }],
    ['a pivot that is a number', pivots('p.json', '["a",1]'), badPivots],
    ['a pivot that is empty', pivots('p.json', '["","a"]'), badPivots],
    ['a null between pivots', pivots('p.json', '["a",null,"b"]'), badPivots],
    ['half of a character as pivot', pivots('p.json', '["a","\\ud83d"]'), badPivots],
    ['pivots that are an object', pivots('p.json', '{"a":1}'), badPivots],
    ['pivots that are null', pivots('p.json', 'null'), badPivots],
    ['pivots that are text', pivots('p.json', '"a"'), badPivots],
    ['pivots that are not JSON', pivots('p.json', '["a",'), { ...badPivots, says: /not JSON/ }],
    ['an empty pivot file', pivots('p.json', ''), badPivots],
    ['a module without an export', pivots('p.mjs', 'const pivots = [];\n'), { ...badPivots, says: /export/ }],
    ['a module that exports no array', pivots('p.mjs', 'export default "a";\n'), badPivots],
    ['a module that does not parse', pivots('p.mjs', 'export default [;\n'), badPivots],
    ['a module that throws', pivots('p.mjs', 'throw new Error("of its own");\n'), { ...badPivots, says: /of its own/ }],
    ['a module that exports unsorted pivots', pivots('p.mjs', 'export const pivots = ["b", "a"];\n'), badPivots],
    [
      'a pivot file that is not there',
      () => ['bootstrap', '--pivots', 'nowhere.json'],
      { code: 'ERR_NO_FILE', exit: 2, says: /nowhere\.json/ },
    ],
    [
      'a pivot module that is not there',
      () => ['bootstrap', '--pivots', 'nowhere.mjs'],
      { code: 'ERR_NO_FILE', exit: 2 },
    ],
    ['an empty file of names', names(''), badNames],
    ['a file of names with comments only', names('# none\n\n'), badNames],
    ['an empty JSON array of names', names('[]'), badNames],
    ['a JSON array of numbers', names('[1]'), badNames],
    ['half a JSON array', names('["a"'), badNames],
    ['a bad name in the file', names('a\n../../secret\n'), { code: 'ERR_BAD_NAME', exit: 2, says: /secret/ }],
    [
      'a file of names that is not there',
      () => ['bootstrap', '--names', 'nowhere.txt'],
      { code: 'ERR_NO_FILE', exit: 2, says: /nowhere\.txt/ },
    ],
    ['a directory as file of names', () => ['bootstrap', '--names', tempDir()], { code: 'ERR_NO_FILE', exit: 2 }],
    [
      'a package.json as lockfile',
      lockfile('package.json', '{"name":"x","version":"1.0.0","dependencies":{"a":"^1.0.0"}}'),
      badLockfile,
    ],
    ['a lockfile that is half', lockfile('package-lock.json', '{"lockfileVersion":3,"packages":{'), badLockfile],
    [
      'a lockfile with no package',
      lockfile('package-lock.json', '{"lockfileVersion":3,"packages":{"":{}}}'),
      badLockfile,
    ],
    [
      'a lockfile whose packages are null',
      lockfile('package-lock.json', '{"lockfileVersion":3,"packages":{"node_modules/a":null}}'),
      badLockfile,
    ],
    [
      'a lockfile whose packages are text',
      lockfile('package-lock.json', '{"lockfileVersion":3,"packages":"none"}'),
      badLockfile,
    ],
    ['a JSON array as lockfile', lockfile('package-lock.json', '["a"]'), badLockfile],
    ['another YAML as lockfile', lockfile('pnpm-lock.yaml', 'on: push\njobs:\n  test: {}\n'), badLockfile],
    [
      'YAML that is not whole',
      lockfile('pnpm-lock.yaml', 'lockfileVersion: "9.0"\npackages: {a@1.0.0: {\n'),
      badLockfile,
    ],
    ['YAML whose packages are null', lockfile('pnpm-lock.yaml', 'lockfileVersion: "9.0"\npackages:\n'), badLockfile],
    [
      'YAML with a package that is null',
      lockfile('pnpm-lock.yaml', 'lockfileVersion: "9.0"\npackages:\n  a@1.0.0:\n'),
      badLockfile,
    ],
    ['text as lockfile', lockfile('yarn.lock', 'my packages are a and b\n'), badLockfile],
    [
      'binary bytes as lockfile',
      lockfile('bun.lockb', '#!/usr/bin/env bun\nbun-lockfile-format-v0\n\0\0\x01\x02'),
      badLockfile,
    ],
    ['an empty lockfile', lockfile('package-lock.json', ''), badLockfile],
    [
      'a lockfile that is not there',
      () => ['bootstrap', '--lockfile', 'nowhere.json'],
      { code: 'ERR_NO_FILE', exit: 2 },
    ],
  ])('%s', async (_title, args, mistake) => expectBoth([...args(), ...at(fake, cache)], mistake));
});

describe.concurrent('flags', () => {
  const list = () => ['--names', tempFile('names.txt', 'a\n')];
  const usage: Mistake = { code: 'ERR_USAGE', exit: 2 };
  const badRange: Mistake = { code: 'ERR_BAD_RANGE', exit: 2 };
  const badOrigin: Mistake = { code: 'ERR_BAD_ORIGIN', exit: 2 };

  it.each<[string, () => string[], Mistake]>([
    ['an unknown flag', () => ['bootstrap', '--fast'], { ...usage, says: /--fast/ }],
    ['an unknown command', () => ['bootstarp'], { ...usage, says: /bootstarp/ }],
    ['an unknown verb', () => ['partition', 'destroy'], { ...usage, says: /destroy/ }],
    ['an argument too many', () => ['bootstrap', 'everything'], usage],
    [
      'names and a lockfile',
      () => ['bootstrap', ...list(), '--lockfile', 'x'],
      { ...usage, says: /--names.*--lockfile/ },
    ],
    ['names and a scope', () => ['bootstrap', ...list(), '--scope', 'x'], usage],
    ['names and a range', () => ['bootstrap', ...list(), '--start', 'x'], usage],
    ['names and pivots', () => ['bootstrap', ...list(), '--pivots', 'x'], usage],
    ['a lockfile and a range', () => ['bootstrap', '--lockfile', 'x', '--end', 'x'], usage],
    ['a scope and a range', () => ['bootstrap', '--scope', 'x', '--end', 'x'], usage],
    ['a scope that is a package', () => ['bootstrap', '--scope', '@a/b'], { ...usage, says: /@a\/b/ }],
    ['an empty scope', () => ['bootstrap', '--scope', ''], usage],
    ['a depth that is none', () => ['bootstrap', '--depth', 'everything'], { ...usage, says: /names.*packuments/ }],
    ['a form that is none', () => ['bootstrap', '--form', 'short'], { ...usage, says: /full.*abbreviated/ }],
    ['a check that is none', () => ['bootstrap', '--check', 'none'], usage],
    ['a rate below nought', () => ['bootstrap', '--rate', '-1'], usage],
    ['a rate that is a word', () => ['bootstrap', '--rate', 'fast'], usage],
    ['an empty rate', () => ['bootstrap', '--rate', ''], usage],
    ['an endless rate', () => ['bootstrap', '--rate', 'Infinity'], usage],
    ['no concurrency', () => ['bootstrap', '--concurrency', '0'], usage],
    ['half a concurrency', () => ['bootstrap', '--concurrency', '1.5'], usage],
    ['a concurrency that is a word', () => ['bootstrap', '--concurrency', 'many'], usage],
    ['no budget', () => ['bootstrap', '--budget', '0'], usage],
    ['a start past the end', () => ['bootstrap', '--start', 'b', '--end', 'a'], { ...badRange, says: /"b".*"a"/ }],
    ['a start that is the end', () => ['bootstrap', '--start', 'a', '--end', 'a'], badRange],
    ['an empty start', () => ['bootstrap', '--start', ''], badRange],
    ['an origin that is no URL', () => ['bootstrap', '--origin', 'registry'], { ...badOrigin, says: /registry/ }],
    ['an origin of another protocol', () => ['bootstrap', '--origin', 'ftp://127.0.0.1/'], badOrigin],
    ['an empty origin', () => ['bootstrap', '--origin', ''], badOrigin],
    ['a registry that is no URL', () => ['bootstrap', '--registry', 'not a url'], badOrigin],
    ['a registry that is a file', () => ['packument', 'fetch', 'a', '--registry', 'file:///registry'], badOrigin],
    ['no package', () => ['packument', 'fetch'], usage],
    [
      'a package name that is none',
      () => ['packument', 'fetch', '@only-a-scope'],
      { code: 'ERR_BAD_NAME', exit: 2, says: /@only-a-scope/ },
    ],
    ['a package name that leaves', () => ['packument', 'fetch', '..'], { code: 'ERR_BAD_NAME', exit: 2 }],
    ['a package name with a line break', () => ['packument', 'fetch', 'a\nb'], { code: 'ERR_BAD_NAME', exit: 2 }],
    ['an empty package name', () => ['packument', 'verify', ''], { code: 'ERR_BAD_NAME', exit: 2 }],
  ])('%s', async (_title, args, mistake) => {
    const [command, verb, ...rest] = [...args()];
    // Flags of ours first: those of the case win.
    const network = command === 'bootstrap' || verb === 'fetch' ? at(fake, cache) : [];
    const group =
      command === 'packument' || command === 'partition'
        ? [command, ...(verb === undefined ? [] : [verb]), ...network, ...rest]
        : undefined;
    await expectBoth(group ?? [command as string, ...network, ...(verb === undefined ? [] : [verb, ...rest])], mistake);
  });

  it.each([
    ['no command', []],
    ['a group without a verb', ['partition']],
  ])('%s: says what there is', async (_title, args) => {
    const run = await runCli(args);
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/^error ERR_USAGE: .*\n$/);
  });

  it('a flag without its value', async () => {
    expectMistake(await runCli(['bootstrap', ...at(fake, cache), '--names']), { ...usage, says: /--names/ });
  });

  it('a config file that is wrong', async () => {
    for (const text of ['{"rate":', '[]', 'null', '{"rate":"fast"}']) {
      const env = { ALL_DOCS_CONFIG: tempFile('config.json', text) };
      const run = await runCli(
        ['bootstrap', '--plan', '--origin', fake.url, '--registry', fake.url, '--cache', cache],
        { env },
      );
      expect(run, text).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/^error ERR_[A-Z_]+: .*\n$/),
      });
    }
  });

  it('an environment that is wrong is a usage error too', async () => {
    expectMistake(
      await runCli(['bootstrap', '--plan', '--origin', fake.url, '--registry', fake.url, '--cache', cache], {
        env: { ALL_DOCS_RATE: 'fast' },
      }),
      { ...usage, says: /fast/ },
    );
  });

  it('a registry whose replication host nobody knows', async () => {
    await expectBoth(['bootstrap', '--registry', fake.url, '--cache', cache], {
      code: 'ERR_NO_ORIGIN',
      exit: 2,
      says: /--origin/,
    });
  });
});

describe.concurrent('cache directories', () => {
  const fetchInto = (directory: string) => [
    'packument',
    'fetch',
    'a',
    '--origin',
    fake.url,
    '--registry',
    fake.url,
    '--cache',
    directory,
  ];

  it('a file', async () => {
    const file = tempFile('cache', 'mine');
    await expectBoth(fetchInto(file), { code: 'ERR_CACHE_UNWRITABLE', exit: 1, says: /--cache/ });
    await expectBoth(fetchInto(join(file, 'below')), { code: 'ERR_CACHE_UNWRITABLE', exit: 1 });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('a directory of something else', async () => {
    const directory = tempDir();
    writeFileSync(join(directory, 'thesis.txt'), 'mine');
    await expectBoth(fetchInto(directory), { code: 'ERR_CACHE_FOREIGN', exit: 1, says: /thesis\.txt/ });
    expect(readdirSync(directory)).toEqual(['thesis.txt']);
  });

  it('a directory with an index of somebody else', async () => {
    const directory = tempDir();
    const database = new DatabaseSync(join(directory, 'index.sqlite'));
    database.exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);');
    database.close();
    await expectBoth(fetchInto(directory), { code: 'ERR_CACHE_FOREIGN', exit: 1 });
    const again = new DatabaseSync(join(directory, 'index.sqlite'));
    expect(again.prepare('SELECT x FROM theirs').all()).toEqual([{ x: 1 }]);
    again.close();
  });

  it('a directory with an index that is no database', async () => {
    const directory = tempDir();
    writeFileSync(join(directory, 'index.sqlite'), 'x'.repeat(5000));
    await expectBoth(fetchInto(directory), { code: 'ERR_CACHE_FOREIGN', exit: 1 });
    expect(readFileSync(join(directory, 'index.sqlite'), 'utf8')).toBe('x'.repeat(5000));
  });

  it('a directory of a newer version', async () => {
    const directory = tempDir();
    expect(await runCli(fetchInto(directory))).toMatchObject({ code: 0 });
    const database = new DatabaseSync(join(directory, 'index.sqlite'));
    database.exec('PRAGMA user_version = 99');
    database.close();
    await expectBoth(fetchInto(directory), { code: 'ERR_CACHE_NEWER', exit: 1, says: /99.*update/ });
    const again = new DatabaseSync(join(directory, 'index.sqlite'));
    again.exec('PRAGMA user_version = 1');
    again.close();
    await expectHeld(directory, fake, await truths(fake, ['a']));
  });

  it('a directory that may not be written', async () => {
    const directory = join(tempDir(), 'locked');
    mkdirSync(directory);
    chmodSync(directory, 0o555);
    // Root may write everywhere; then it is done as nobody, who may not.
    const root = process.getuid?.() === 0;
    chmodSync(join(directory, '..'), 0o755);
    const cwd = tempDir();
    chmodSync(cwd, 0o755);
    const env = { HOME: cwd };
    await expectBoth(
      fetchInto(directory),
      { code: 'ERR_CACHE_UNWRITABLE', exit: 1, says: /--cache/ },
      { cwd, env, ...(root ? { uid: 65534 } : {}) },
    );
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe.concurrent('origins that are no registry', () => {
  const servers: Server[] = [];
  afterAll(() => servers.map((server) => server.close()));

  async function serve(status: number, type: string, body: string): Promise<string> {
    const server = createServer((_req, res) => res.writeHead(status, { 'content-type': type }).end(body));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function closedPort(): Promise<string> {
    const server = createSocketServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return `http://127.0.0.1:${port}`;
  }

  it.each<[string, () => Promise<string>, Mistake]>([
    [
      'a web site',
      () => serve(200, 'text/html; charset=utf-8', '<!doctype html><title>Hello</title>'),
      { code: 'ERR_NOT_REGISTRY', exit: 1, says: /--origin/ },
    ],
    [
      'JSON without a count',
      () => serve(200, 'application/json', '{"hello":"world"}'),
      { code: 'ERR_NOT_REGISTRY', exit: 1 },
    ],
    ['text', () => serve(200, 'text/plain', 'hello'), { code: 'ERR_NOT_REGISTRY', exit: 1 }],
    [
      'nothing but 404',
      () => serve(404, 'application/json', '{"error":"not found"}'),
      { code: 'ERR_NOT_REGISTRY', exit: 1 },
    ],
    [
      'a login',
      () => serve(401, 'application/json', '{"error":"unauthorized"}'),
      { code: 'ERR_NOT_REGISTRY', exit: 1 },
    ],
    [
      'a root and nothing else',
      () => serve(200, 'application/json', '{"doc_count":3,"update_seq":1}'),
      { code: 'ERR_BAD_PAGE', exit: 3 },
    ],
    ['a closed port', closedPort, { code: 'ERR_FETCH_FAILED', exit: 1, says: /check --origin|network/ }],
  ])('%s', async (_title, start, mistake) => {
    const url = await start();
    const args = ['partition', 'fetch', '--origin', url, '--registry', url, '--cache', tempDir(), '--rate', '0'];
    if (mistake.exit === 3) {
      // Every partition failed: incomplete, and it says why.
      const run = await runCli([...args, '--json']);
      expect(run.code).toBe(3);
      expect(run.events).toContainEqual({ type: 'error', code: mistake.code, message: expect.any(String) });
      return;
    }
    const run = await runCli(args);
    // What was begun may have been announced before the mistake showed.
    expectMistake({ ...run, stderr: run.stderr.split('\n').slice(-2).join('\n') }, mistake);
    const json = await runCli([...args, '--json']);
    expect(json.code).toBe(mistake.exit);
    expect(json.events.filter(({ type }) => type === 'error')).toEqual([
      { type: 'error', code: mistake.code, message: expect.any(String) },
    ]);
    expect(json.events.some(({ type }) => type === 'done')).toBe(false);
  });

  it('a registry that answers everybody with a web page', async () => {
    const url = await serve(200, 'text/html', '<!doctype html>');
    const args = ['packument', 'fetch', 'a', '--registry', url, '--cache', tempDir(), '--rate', '0'];
    expect(await runCli(args)).toMatchObject({
      code: 3,
      stderr: '',
      stdout: expect.stringMatching(/^a\tfailed: ERR_BLOCKED: .*\n$/),
    });
  });

  it('a registry that nobody listens for, asked for one package', async () => {
    const args = ['packument', 'fetch', 'a', '--registry', await closedPort(), '--cache', tempDir(), '--rate', '0'];
    expect(await runCli(args)).toMatchObject({
      code: 3,
      stderr: '',
      stdout: expect.stringMatching(/^a\tfailed: ERR_FETCH_FAILED: .*\n$/),
    });
  });

  it('a registry that nobody listens for, asked for many: says within a minute that it is down', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `package-${i}`).join('\n');
    const args = [
      'bootstrap',
      '--names',
      tempFile('names.txt', names),
      '--registry',
      await closedPort(),
      '--cache',
      tempDir(),
      '--rate',
      '0',
    ];
    const run = await runCli(args, { killAfterMs: 60_000, signal: 'SIGKILL' });
    expect({ code: run.code, signal: run.signal }).toEqual({ code: 1, signal: null });
    expect(run.stderr).toMatch(/error ERR_ORIGIN_DOWN: .*check .*\n$/);
  });
});

describe('what is not held', () => {
  const inCache = () => ['--cache', cache];

  it.each<[string, () => string[], Mistake]>([
    [
      'a packument',
      () => ['packument', 'show', 'not-held', '--registry', fake.url],
      { code: 'ERR_NOT_HELD', exit: 1, says: /packument fetch not-held/ },
    ],
    [
      'a packument of another form',
      () => ['packument', 'show', 'a', '--form', 'abbreviated', '--registry', fake.url],
      { code: 'ERR_NOT_HELD', exit: 1 },
    ],
    [
      'a packument with a bad name',
      () => ['packument', 'show', 'a/b/c', '--registry', fake.url],
      { code: 'ERR_BAD_NAME', exit: 2 },
    ],
    ['a key', () => ['cache', 'get', 'v1:packument:npm:61'], { code: 'ERR_NOT_HELD', exit: 1, says: /cache ls/ }],
    ['a key that is none', () => ['cache', 'get', ''], { code: 'ERR_BAD_KEY', exit: 2 }],
    [
      'a listing',
      () => ['partition', 'verify', '--origin', fake.url, '--registry', fake.url],
      { code: 'ERR_NOT_LISTED', exit: 1, says: /partition fetch/ },
    ],
  ])('%s', async (_title, args, mistake) => {
    expectMistake(await runCli([...args(), ...inCache()]), mistake);
  });

  it('says so as an event where --json is known', async () => {
    const run = await runCli([
      'partition',
      'verify',
      '--json',
      '--origin',
      fake.url,
      '--registry',
      fake.url,
      ...inCache(),
    ]);
    expect(run.events).toEqual([{ type: 'error', code: 'ERR_NOT_LISTED', message: expect.any(String) }]);
  });
});

describe('after all these mistakes', () => {
  it('the replica is whole', async () => {
    await expectHeld(cache, fake, before);
    const verified = await runCli(['packument', 'verify', '--registry', fake.url, '--cache', cache]);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^3 packuments .*0 damaged\n$/) });
    expect(fake.stats().byKind).toMatchObject({ root: 0, allDocs: 0 });
  });
});
