import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import cacache from 'cacache';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeOrigin, NASTY_NAMES } from '../fake-origin/index.ts';
import { type CliRun, only, runCli, startCli, tempDir, tempFile, until } from './cli.ts';
import { LOCKFILES } from './lockfiles.ts';
import {
  at,
  byBytes,
  each,
  expectHeld,
  held,
  heldKeys,
  indexRows,
  keyOf,
  namesBetween,
  startFake,
  truth,
  truths,
} from './replica.ts';

const nameFile = (names: Iterable<string>) => tempFile('names.txt', [...names, ''].join('\n'));

function expectDone(run: CliRun): void {
  expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
}

/** Names that the origin was asked for. */
const asked = (fake: FakeOrigin) => Array.from(fake.stats().perName.entries(), ([name]) => name).sort(byBytes);

describe('a selection', () => {
  let fake: FakeOrigin;
  beforeAll(async () => {
    fake = await startFake({ packages: 600, seed: 5 });
  });
  beforeEach(() => fake.resetStats());

  it('--names: fetches exactly these, whole, the nasty ones too', async () => {
    const cache = tempDir();
    const names = [...new Set([...NASTY_NAMES, ...[...fake.names()].slice(0, 250)])];
    const run = await runCli(['bootstrap', '--names', nameFile(names), '--json', ...at(fake, cache)]);
    expectDone(run);
    expect(only(run, 'done')).toMatchObject({
      status: 'done',
      exitCode: 0,
      names: names.length,
      stored: names.length,
      failed: 0,
      absent: 0,
    });
    expect(fake.stats()).toMatchObject({
      requests: names.length,
      byKind: { packument: names.length, root: 0, allDocs: 0 },
    });
    expect(asked(fake)).toEqual([...names].sort(byBytes));
    await expectHeld(cache, fake, await truths(fake, names));
    // npm's own library finds the same keys.
    expect(Object.keys(await cacache.ls(cache)).sort()).toEqual(names.map((name) => keyOf(fake, name)).sort());

    await each(
      NASTY_NAMES,
      async (name) => {
        const shown = await runCli(['packument', 'show', ...held(fake, cache), '--', name]);
        expectDone(shown);
        expect(shown.stdout).toBe(`${(await truth(fake, name)).text}\n`);
        expect(JSON.parse(shown.stdout)).toEqual(fake.packument(name));
      },
      3,
    );
  });

  it('--names: from standard input and as JSON', async () => {
    const [lines, json] = [tempDir(), tempDir()];
    expectDone(
      await runCli(['bootstrap', '--names', '-', '--json', ...at(fake, lines)], {
        input: '# two\r\n\r\na\r\n  @a/b  \na\n',
      }),
    );
    expectDone(
      await runCli(['bootstrap', '--names', tempFile('names.json', '["@a/b", "a"]'), '--json', ...at(fake, json)]),
    );
    for (const cache of [lines, json]) await expectHeld(cache, fake, await truths(fake, ['@a/b', 'a']));
  });

  it('--names again: 304 only; then what changed is fetched, what is gone stays', async () => {
    const cache = tempDir();
    const names = [...fake.names()].slice(100, 200);
    const args = ['bootstrap', '--names', nameFile(names), '--json', ...at(fake, cache)];
    expectDone(await runCli(args));
    const before = await truths(fake, names);

    fake.resetStats();
    const second = await runCli(args);
    expectDone(second);
    expect(only(second, 'done')).toMatchObject({ unchanged: 100, stored: 0, held: 0, bytes: 0 });
    expect(fake.stats()).toMatchObject({ requests: 100, byStatus: { 304: 100 }, notModified: 100 });

    const [gone, changed, alsoChanged] = names as [string, string, string];
    fake.remove(gone, '404');
    fake.publish(changed);
    fake.publish(alsoChanged);
    fake.resetStats();
    const third = await runCli(args);
    expect(third.code).toBe(0);
    expect(only(third, 'done')).toMatchObject({ unchanged: 97, stored: 2, absent: 1, failed: 0 });
    expect(fake.stats().byStatus).toEqual({ 200: 2, 304: 97, 404: 1 });
    await expectHeld(cache, fake, new Map([...(await truths(fake, names)), [gone, before.get(gone) as Buffer]]));
    const status = only(await runCli(['status', '--json', ...held(fake, cache)]), 'status');
    expect(status).toMatchObject({ packuments: 100, absent: 1, failed: 0 });
  });

  it.each(LOCKFILES)('--lockfile: $title', async ({ file, text, names }) => {
    const cache = tempDir();
    const run = await runCli(['bootstrap', '--lockfile', tempFile(file, text), '--json', ...at(fake, cache)]);
    expectDone(run);
    expect(asked(fake)).toEqual([...names].sort(byBytes));
    expect(fake.stats().byKind).toMatchObject({ root: 0, allDocs: 0 });
    await expectHeld(cache, fake, await truths(fake, names));
  });

  it('--scope: with and without the @', async () => {
    const scopes = [...fake.names()].filter((name) => name.startsWith('@')).map((name) => name.split('/')[0] as string);
    const count = (scope: string) => scopes.filter((other) => other === scope).length;
    const scope = scopes.reduce((best, other) => (count(other) > count(best) ? other : best));
    const names = [...fake.names()].filter((name) => name.startsWith(`${scope}/`));
    expect(names.length).toBeGreaterThan(1);
    for (const spelling of [scope, scope.slice(1)]) {
      const cache = tempDir();
      const run = await runCli(['bootstrap', '--scope', spelling, '--json', ...at(fake, cache)]);
      expectDone(run);
      expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, rows: names.length });
      await expectHeld(cache, fake, await truths(fake, names));
    }
  });

  it.each([
    ['both ends', 'b', 'm'],
    ['an open end', 's', null],
    ['an open start', null, '_'],
    ['ends that are names', 'JSONStream', 'jquery'],
    ['ends past UTF-16 order', '\uff5ewide', '\u{1f600}grin'],
  ])('--start/--end: %s', async (_title, start, end) => {
    const cache = tempDir();
    const ends = [...(start === null ? [] : ['--start', start]), ...(end === null ? [] : ['--end', end])];
    const names = namesBetween(fake, start, end);
    expect(names.length).toBeGreaterThan(0);
    const run = await runCli(['bootstrap', ...ends, '--json', ...at(fake, cache)]);
    expectDone(run);
    expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, rows: names.length });
    expect(asked(fake)).toEqual(names);
    await expectHeld(cache, fake, await truths(fake, names));
  });

  it('a range again: asks for the root and the pages only; then for what changed', async () => {
    const cache = tempDir();
    const args = ['bootstrap', '--start', 'b', '--end', 'm', '--json', ...at(fake, cache)];
    expectDone(await runCli(args));
    const names = namesBetween(fake, 'b', 'm');

    fake.resetStats();
    const second = await runCli(args);
    expectDone(second);
    expect(only(second, 'done')).toMatchObject({ held: names.length, stored: 0, unchanged: 0 });
    const { byKind, requests } = fake.stats();
    expect(byKind.packument).toBe(0);
    expect(byKind.root + byKind.allDocs).toBe(requests);
    expect(requests).toBeLessThanOrEqual(4);

    const [first, other, gone] = names as [string, string, string];
    const last = (await truths(fake, [gone])).get(gone) as Buffer;
    fake.publish(first);
    fake.publish(other);
    fake.remove(gone, 'deleted');
    fake.resetStats();
    const third = await runCli(args);
    expectDone(third);
    expect(asked(fake)).toEqual([first, other]);
    await expectHeld(cache, fake, new Map([...(await truths(fake, names)), [gone, last]]));
  });

  it.each([
    ['JSON', 'pivots.json', (list: string) => list],
    ['JSON with null ends', 'pivots.json', (list: string) => `[null, ${list.slice(1, -1)}, null]`],
    ['JSON with a field', 'pivots.json', (list: string) => `{"pivots":${list}}`],
    ['a default export', 'pivots.mjs', (list: string) => `export default ${list};\n`],
    ['an export named pivots', 'pivots.mjs', (list: string) => `export const pivots = ${list};\n`],
    ['a CommonJS module', 'pivots.cjs', (list: string) => `module.exports = ${list};\n`],
  ])('--pivots: %s', async (_title, file, write) => {
    const cache = tempDir();
    const pivots = ['@', 'JSONStream', 'm'];
    const run = await runCli([
      'bootstrap',
      '--depth',
      'names',
      '--pivots',
      tempFile(file, write(JSON.stringify(pivots))),
      '--json',
      ...at(fake, cache),
    ]);
    expectDone(run);
    expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, partitions: 4, rows: fake.count });
    const listed = await runCli(['partition', 'ls', '--origin', fake.url, ...held(fake, cache)]);
    const ends = [null, ...pivots, null];
    const lines = ends
      .slice(1)
      .map((end, i) => `${ends[i] ?? ''}\t${end ?? ''}\t${namesBetween(fake, ends[i] ?? null, end).length}`);
    expect(listed.stdout).toBe(`${lines.join('\n')}\n`);
  });

  it('--pivots with a range: cuts the range only', async () => {
    const cache = tempDir();
    const args = ['--pivots', tempFile('pivots.json', '["a","c","k","x"]'), '--start', 'b', '--end', 'm'];
    const run = await runCli(['bootstrap', ...args, '--json', ...at(fake, cache)]);
    expectDone(run);
    expect(only(run, 'coverage')['report']).toMatchObject({ holds: true, partitions: 3 });
    await expectHeld(cache, fake, await truths(fake, namesBetween(fake, 'b', 'm')));
  });

  it('--depth names: lists and fetches no document', async () => {
    const cache = tempDir();
    const run = await runCli(['bootstrap', '--depth', 'names', '--json', ...at(fake, cache)]);
    expectDone(run);
    expect(only(run, 'done')).toMatchObject({ names: fake.count, stored: 0 });
    expect(fake.stats().byKind).toMatchObject({ root: 2, packument: 0 });
    expect(heldKeys(cache, fake)).toEqual([]);
    expect([...indexRows(cache).keys()].every((key) => key.startsWith('v1:partition:'))).toBe(true);
  });

  it('--form abbreviated: kept under its own key, beside the full one', async () => {
    const cache = tempDir();
    const names = ['a', '@a/b', 'jquery'];
    const args = ['bootstrap', '--names', nameFile(names), '--json', ...at(fake, cache)];
    expectDone(await runCli([...args, '--form', 'abbreviated']));
    expect(heldKeys(cache, fake)).toEqual([]);
    await expectHeld(cache, fake, await truths(fake, names, 'abbreviated'), 'abbreviated');
    const missing = await runCli(['packument', 'show', 'a', ...held(fake, cache)]);
    expect(missing.code).toBe(1);

    expectDone(await runCli(args));
    await expectHeld(cache, fake, await truths(fake, names));
    await expectHeld(cache, fake, await truths(fake, names, 'abbreviated'), 'abbreviated');
    const shown = await runCli(['packument', 'show', 'a', '--form', 'abbreviated', ...held(fake, cache)]);
    expect(shown.stdout).toBe(`${(await truth(fake, 'a', 'abbreviated')).text}\n`);
    const verified = await runCli(['packument', 'verify', '--form', 'abbreviated', ...held(fake, cache)]);
    expect({ code: verified.code, stdout: verified.stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^3 packuments .*0 damaged\n$/),
    });
  });

  it('packument fetch: by name, again, and a name that is not there', async () => {
    const cache = tempDir();
    const first = await runCli(['packument', 'fetch', 'a', '@a/b', ...at(fake, cache)]);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^a\tstored, .*\n@a\/b\tstored, /) });
    const again = await runCli(['packument', 'fetch', '/@a%2fb', ...at(fake, cache)]);
    expect(again).toMatchObject({ code: 0, stdout: '@a/b\tunchanged\n' });
    const absent = await runCli(['packument', 'fetch', 'a', 'not-in-there-at-all', ...at(fake, cache)]);
    expect(absent).toMatchObject({ code: 3, stdout: 'a\tunchanged\nnot-in-there-at-all\tnot in the registry (404)\n' });
    await expectHeld(cache, fake, await truths(fake, ['a', '@a/b']));
  });
});

describe('everything', () => {
  it('25,000 packages: splits by itself, holds all, and lists side by side the next time', async () => {
    const fake = await startFake({ packages: 25_000, seed: 3 });
    const cache = tempDir();
    const args = ['bootstrap', '--json', '--concurrency', '16', ...at(fake, cache)];
    const first = await runCli(args);
    expectDone(first);
    expect(only(first, 'done')).toMatchObject({ names: 25_000, stored: 25_000, failed: 0, absent: 0, partitions: 3 });
    expect(only(first, 'coverage')['report']).toMatchObject({
      holds: true,
      partitions: 3,
      rows: 25_000,
      total: { agrees: true },
    });
    // Three pages, one that says there is no more, and the root before and after.
    expect(fake.stats().byKind).toMatchObject({ root: 2, packument: 25_000 });
    expect(fake.stats().byKind.allDocs).toBeLessThanOrEqual(4);
    const counts = Array.from(fake.stats().perName.entries(), ([, { served }]) => served);
    expect([counts.length, Math.max(...counts)]).toEqual([25_000, 1]);

    const rows = indexRows(cache, 'v1:packument:');
    expect(rows.size).toBe(25_000);
    const wrong: string[] = [];
    for (const name of fake.names()) {
      if (rows.get(keyOf(fake, name))?.rev !== fake.rev(name)) wrong.push(name);
    }
    expect(wrong).toEqual([]);
    const verified = await runCli(['packument', 'verify', ...held(fake, cache)]);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^25,000 packuments .*0 damaged\n$/) });
    const list = await runCli(['partition', 'ls', '--json', '--origin', fake.url, ...held(fake, cache)]);

    for (const name of ['a', '@a/b', '__proto__']) fake.publish(name);
    fake.resetStats();
    const second = await runCli(args);
    expectDone(second);
    expect(only(second, 'done')).toMatchObject({ names: 25_000, stored: 3, held: 24_997, partitions: 3 });
    const stats = fake.stats();
    expect(asked(fake)).toEqual(['@a/b', '__proto__', 'a']);
    // A page for each partition, and one that says there is no more.
    expect(stats.byKind.allDocs).toBeLessThanOrEqual(6);
    expect(stats.requests).toBeLessThanOrEqual(2 + 6 + 3);
    const again = await runCli(['partition', 'ls', '--json', '--origin', fake.url, ...held(fake, cache)]);
    expect(again.stdout).toBe(list.stdout);

    fake.resetStats();
    expectDone(await runCli(['partition', 'fetch', '--json', ...at(fake, cache)]));
    // Without pivots, or one after the other, there would never be two in flight.
    expect(fake.stats()).toMatchObject({ maxInFlight: 3, byKind: { packument: 0 } });
  });
});

describe.concurrent('interrupted', () => {
  const CONCURRENCY = 6;

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s: exits %i, and the same command goes on', async (signal, code) => {
    const fake = await startFake({ packages: 400, seed: 7, latencyMs: 20 });
    const cache = tempDir();
    const args = [
      'bootstrap',
      '--names',
      nameFile(fake.names()),
      '--json',
      '--concurrency',
      String(CONCURRENCY),
      ...at(fake, cache),
    ];
    const running = startCli(args);
    await until(() => fake.stats().byKind.packument > 120, 'a third is fetched');
    const begun = Date.now();
    running.kill(signal);
    const run = await running.done;
    expect({ code: run.code, signal: run.signal, stderr: run.stderr }).toEqual({ code, signal: null, stderr: '' });
    expect(Date.now() - begun).toBeLessThan(5_000);
    expect(only(run, 'done')).toMatchObject({ status: 'interrupted', exitCode: code });
    const kept = heldKeys(cache, fake).length;
    expect(kept).toBeGreaterThan(100);
    await expectResumed(fake, cache, args, kept);
  });

  it('by SIGKILL: what was acknowledged is kept, and the same command goes on', async () => {
    const fake = await startFake({ packages: 400, seed: 7, latencyMs: 20 });
    const cache = tempDir();
    const args = ['bootstrap', '--json', '--concurrency', String(CONCURRENCY), ...at(fake, cache)];
    const running = startCli(args);
    await until(() => fake.stats().byKind.packument > 120, 'a third is fetched');
    running.kill('SIGKILL');
    expect(await running.done).toMatchObject({ signal: 'SIGKILL' });
    const kept = heldKeys(cache, fake).length;
    const lists = fake.stats().byKind.allDocs;
    await expectResumed(fake, cache, args, kept);
    expect(fake.stats().byKind.allDocs).toBe(lists);
    // What the dead process was writing is swept away by the next one.
    expect(
      readdirSync(join(cache, 'tmp'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
    ).toEqual([]);
  });

  it('while it lists: no finished page is asked again', async () => {
    const fake = await startFake({ packages: 400, seed: 7, latencyMs: 60 });
    const cache = tempDir();
    const pivots = tempFile('pivots.json', JSON.stringify([...fake.names()].filter((_, i) => i > 0 && i % 10 === 0)));
    const args = ['partition', 'fetch', '--pivots', pivots, '--json', '--concurrency', '2', ...at(fake, cache)];
    const running = startCli(args);
    await until(() => fake.stats().byKind.allDocs > 15, 'some pages are there');
    running.kill('SIGINT');
    expect((await running.done).code).toBe(130);
    const kept = indexRows(cache, 'v1:partition:').size;
    expect(kept).toBeGreaterThan(5);
    fake.resetStats();
    const second = await runCli(args);
    expectDone(second);
    expect(only(second, 'start')).toMatchObject({ resumed: true });
    expect(fake.stats().byKind.allDocs).toBeLessThanOrEqual(40 - kept + 1);
    expect(only(second, 'coverage')['report']).toMatchObject({ holds: true, partitions: 40, rows: 400 });
  });

  /** The rest is fetched, hardly more, and all is held. */
  async function expectResumed(fake: FakeOrigin, cache: string, args: string[], kept: number): Promise<void> {
    const names = [...fake.names()];
    const second = await runCli(args);
    expectDone(second);
    expect(only(second, 'start')).toMatchObject({ resumed: true });
    expect(only(second, 'done')).toMatchObject({
      status: 'done',
      resumed: true,
      names: names.length,
      stored: names.length - kept,
      unchanged: 0,
      failed: 0,
    });
    const again = names.filter((name) => fake.requestsFor(name) > 1);
    expect(again.length).toBeLessThanOrEqual(CONCURRENCY);
    await expectHeld(cache, fake, await truths(fake, names));
  }
});

describe.concurrent('two processes on one cache', () => {
  it.each([
    ['started together', 0],
    ['the second one later', 500],
  ] as const)('%s: share the work', async (title, laterMs) => {
    const fake = await startFake({ packages: 2_000, seed: 11, latencyMs: 5 });
    const cache = tempDir();
    const names = [...fake.names()];
    const args = ['bootstrap', '--names', nameFile(names), '--json', '--concurrency', '4', ...at(fake, cache)];
    const first = startCli(args);
    if (laterMs > 0) await until(() => fake.stats().byKind.packument > 0, 'the first one is at work');
    await new Promise((resolve) => setTimeout(resolve, laterMs));
    const second = startCli(args);
    const runs = await Promise.all([first.done, second.done]);
    for (const run of runs) expectDone(run);
    const stored = runs.map((run) => only(run, 'done')['stored'] as number);
    const ratio = names.reduce((sum, name) => sum + fake.requestsServed(name), 0) / names.length;
    console.log(`two processes, ${title}: ${ratio.toFixed(3)} whole answers a package, stored ${stored.join(' and ')}`);
    expect(ratio).toBeLessThan(1.02);
    for (const count of stored) expect(count).toBeGreaterThan(100);
    await expectHeld(cache, fake, await truths(fake, names));
  });
});
