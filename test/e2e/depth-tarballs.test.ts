import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../fake-origin/fault-rule.ts';
import { plainNames, servedIntegrities, serveOffline, tarballRows, versionsOf } from './_tarballs.ts';
import { only, runCli, startCli, tempDir, tempFile, until } from './cli.ts';
import { at, held, startFake } from './replica.ts';

const DEPTH = ['--depth', 'tarballs', '--json'];
const tarball = (rule: Omit<FaultRule, 'kinds'>): FaultRule => ({ ...rule, kinds: ['tarball'] });

describe('bootstrap --depth tarballs', () => {
  it('keeps every tarball of the selected packages, pinned, and serves them offline', async () => {
    const fake = await startFake({ packages: 60, seed: 21, tarballs: 'named' });
    const cache = tempDir();
    const versions = [...fake.names()].flatMap((name) => versionsOf(fake, name));
    const run = await runCli(['bootstrap', ...DEPTH, ...at(fake, cache)]);
    expect(run.code, run.stdout.slice(-2000)).toBe(0);
    expect(only(run, 'done')).toMatchObject({
      status: 'done',
      stored: 60,
      tarballs: { stored: versions.length, held: 0, absent: 0, failed: 0, mismatched: 0 },
    });
    const rows = tarballRows(cache);
    expect(rows.length).toBe(versions.length);
    expect(rows.every(({ pinned }) => pinned === true)).toBe(true);
    expect(fake.stats().byKind.tarball).toBe(versions.length);
    fake.resetStats();
    const served = await serveOffline(held(fake, cache));
    expect(await servedIntegrities(served, fake, versions)).toEqual(versions.map(({ dist }) => dist.integrity));
    expect(fake.stats().requests).toBe(0);
    served.kill('SIGTERM');
    await served.done;
  });

  it('tells packages and tarballs while it works', async () => {
    const fake = await startFake({ packages: 20, seed: 22 });
    const count = [...fake.names()].flatMap((name) => versionsOf(fake, name)).length;
    const run = await runCli(['bootstrap', ...DEPTH, ...at(fake, tempDir())]);
    expect(run.events.filter(({ type }) => type === 'phase').map(({ phase }) => phase)).toEqual([
      'list',
      'prove',
      'fetch',
      'tarballs',
    ]);
    const last = run.events.filter(({ type, phase }) => type === 'progress' && phase === 'tarballs').at(-1);
    expect(last).toMatchObject({ done: 20, total: 20, tarballs: count, errors: 0 });
    const { stderr } = await runCli(['bootstrap', '--depth', 'tarballs', ...at(fake, tempDir())]);
    expect(stderr).toMatch(new RegExp(`tarballs: ${count} fetched \\(`));
  });

  it('asks for no tarball again that is kept: neither a second run nor one of more packages', async () => {
    const fake = await startFake({ packages: 60, seed: 23 });
    const cache = tempDir();
    const names = tempFile('names.txt', plainNames(fake, 5).join('\n'));
    expect(await runCli(['bootstrap', '--names', names, ...DEPTH, ...at(fake, cache)])).toMatchObject({ code: 0 });
    const { tarball: asked } = fake.stats().byKind;
    const again = await runCli(['bootstrap', '--names', names, ...DEPTH, ...at(fake, cache)]);
    expect(only(again, 'done')).toMatchObject({ tarballs: { stored: 0, held: asked } });
    expect(fake.stats().byKind.tarball).toBe(asked);
    const all = only(await runCli(['bootstrap', ...DEPTH, ...at(fake, cache)]), 'done');
    expect(all).toMatchObject({ tarballs: { held: asked, failed: 0 } });
    expect(fake.stats().byKind.tarball).toBe(asked + all['tarballs'].stored);
  });

  it.each<[string, FaultRule[]]>([
    ['bodies that are cut', [tarball({ fault: 'cut-body', times: 1 })]],
    ['bodies that are reset', [tarball({ fault: 'reset-body', times: 2, share: 0.5 })]],
    ['wrong bytes', [tarball({ fault: 'corrupt-gzip', times: 1 })]],
    ['errors', [tarball({ fault: '503', times: 1, share: 0.5 }), tarball({ fault: '500', times: 1, share: 0.5 })]],
  ])('gets over %s that pass', async (_title, faults) => {
    const fake = await startFake({ packages: 12, seed: 24, faults });
    const cache = tempDir();
    const versions = [...fake.names()].flatMap((name) => versionsOf(fake, name));
    const run = await runCli(['bootstrap', ...DEPTH, ...at(fake, cache)]);
    expect(run.code, run.stdout.slice(-1000)).toBe(0);
    expect(only(run, 'done')).toMatchObject({ tarballs: { stored: versions.length, failed: 0 } });
    expect(Object.keys(fake.stats().faults).length).toBeGreaterThan(0);
  });

  it('notes what stays broken, keeps the rest, exits 3, and mends it with the same command', async () => {
    const fake = await startFake({ packages: 30, seed: 25 });
    const cache = tempDir();
    const [bad, cut] = plainNames(fake, 2) as [string, string];
    const versions = [...fake.names()].flatMap((name) => versionsOf(fake, name));
    const broken = versions.filter(({ name }) => name === bad || name === cut);
    fake.setFaults([
      tarball({ fault: 'corrupt-gzip', path: `^/${bad}/` }),
      tarball({ fault: 'cut-body', path: `^/${cut}/` }),
    ]);
    const run = await runCli(['bootstrap', ...DEPTH, ...at(fake, cache)]);
    expect(run.code, run.stdout.slice(-2000)).toBe(3);
    expect(only(run, 'done')).toMatchObject({
      status: 'incomplete',
      failed: 0,
      tarballs: {
        stored: versions.length - broken.length,
        failed: broken.length,
        mismatched: versionsOf(fake, bad).length,
      },
    });
    const errors = run.events.filter(({ type }) => type === 'error').map(({ code, name }) => `${code} ${name}`);
    const expected = broken.map(({ name, dist }) => {
      const code = name === bad ? 'ERR_INTEGRITY' : 'ERR_FETCH_FAILED';
      return `${code} ${dist.tarball.slice(`${fake.url}/`.length)}`;
    });
    expect(errors.sort()).toEqual(expected.sort());
    const status = await runCli(['status', '--json', ...held(fake, cache)]);
    expect(only(status, 'status')).toMatchObject({ failed: broken.length });
    expect(tarballRows(cache).length).toBe(versions.length - broken.length);

    fake.setFaults([]);
    fake.resetStats();
    const mended = await runCli(['bootstrap', ...DEPTH, ...at(fake, cache)]);
    expect(mended).toMatchObject({ code: 0 });
    expect(only(mended, 'done')).toMatchObject({ tarballs: { stored: broken.length, failed: 0 } });
    expect(fake.stats().byKind.tarball).toBe(broken.length);
    expect(only(await runCli(['status', '--json', ...held(fake, cache)]), 'status')).toMatchObject({ failed: 0 });
  });

  it('--plan counts the tarballs that held documents list, and says so where it cannot know', async () => {
    const fake = await startFake({ packages: 40, seed: 29 });
    const cache = tempDir();
    const names = plainNames(fake, 5);
    const file = tempFile('names.txt', names.join('\n'));
    const plan = ['bootstrap', '--plan', '--depth', 'tarballs', '--names', file, ...at(fake, cache)];
    expect(only(await runCli([...plan, '--json']), 'plan')).toMatchObject({
      requests: { packuments: 5, total: 5 },
      tarballs: { from: 'unknown' },
    });
    expect((await runCli(plan)).stdout).toMatch(/^tarballs {3}.*not known before the packuments are held/m);
    await runCli(['bootstrap', '--names', file, ...at(fake, cache)]);
    const count = names.flatMap((name) => versionsOf(fake, name)).length;
    expect(only(await runCli([...plan, '--json']), 'plan')).toMatchObject({
      requests: { packuments: 5, tarballs: count, total: 5 + count },
      tarballs: { count, from: 'held documents' },
    });
    expect((await runCli(plan)).stdout).toMatch(new RegExp(`^tarballs {3}${count}, a request each`, 'm'));
    expect(fake.stats().byKind.tarball).toBe(0);
  });

  it('a tarball that the registry says it does not have is counted, and no failure', async () => {
    const fake = await startFake({ packages: 12, seed: 26 });
    const [gone] = plainNames(fake, 1) as [string];
    fake.setFaults([tarball({ fault: 'not-found', path: `^/${gone}/` })]);
    const run = await runCli(['bootstrap', ...DEPTH, ...at(fake, tempDir())]);
    expect(run.code).toBe(0);
    expect(only(run, 'done')).toMatchObject({ tarballs: { absent: versionsOf(fake, gone).length, failed: 0 } });
  });

  it('asks no host that a document names besides the registry', async () => {
    const other = await startFake({ packages: 12, seed: 27 });
    const fake = await startFake({ packages: 12, seed: 27 });
    const [lured] = plainNames(fake, 1) as [string];
    fake.setFaults([{ fault: 'tarball-host', to: other.url, path: `^/${lured}$` }]);
    const run = await runCli(['bootstrap', ...DEPTH, ...at(fake, tempDir())]);
    expect(run.code).toBe(3);
    expect(only(run, 'done')).toMatchObject({ tarballs: { failed: versionsOf(fake, lured).length, mismatched: 0 } });
    expect(run.events).toContainEqual(expect.objectContaining({ type: 'error', code: 'ERR_FORBIDDEN_HOST' }));
    expect(other.stats().requests).toBe(0);
  });

  it.each<NodeJS.Signals>(['SIGKILL', 'SIGTERM'])(
    'goes on after %s, and asks again only for what was under way',
    async (signal) => {
      const fake = await startFake({ packages: 60, seed: 28, tarballs: 'named', latencyMs: 20 });
      const cache = tempDir();
      const count = [...fake.names()].flatMap((name) => versionsOf(fake, name)).length;
      const flags = ['bootstrap', ...DEPTH, '--concurrency', '4', ...at(fake, cache)];
      const first = startCli(flags);
      await until(() => fake.stats().byKind.tarball > count / 2, 'half of the tarballs are asked for');
      first.kill(signal);
      const { code } = await first.done;
      expect(code).toBe(signal === 'SIGKILL' ? null : 143);
      const second = await runCli(flags);
      expect(second.code, second.stdout.slice(-2000)).toBe(0);
      expect(only(second, 'start')).toMatchObject({ resumed: true });
      const asked = fake.stats().byKind.tarball;
      expect(asked).toBeGreaterThanOrEqual(count);
      expect(asked).toBeLessThanOrEqual(count + 4);
      const rows = tarballRows(cache);
      expect(rows.filter(({ pinned }) => pinned).length).toBe(count);
      const blobs = readdirSync(join(cache, 'blobs'), { recursive: true, withFileTypes: true });
      const files = blobs.filter((entry) => entry.isFile()).map(({ name }) => name);
      expect(files.filter((name) => !/^[0-9a-f]{64}$/.test(name))).toEqual([]);
    },
  );
});
