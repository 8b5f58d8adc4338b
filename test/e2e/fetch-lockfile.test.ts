import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import type { FaultRule } from '../fake-origin/fault-rule.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import {
  npmLock,
  plainNames,
  servedIntegrities,
  serveOffline,
  tarballRows,
  type Version,
  versionsOf,
} from './_tarballs.ts';
import { only, runCli, startCli, tempDir, tempFile, until } from './cli.ts';
import { at, held, startFake } from './replica.ts';

const tarball = (rule: Omit<FaultRule, 'kinds'>): FaultRule => ({ ...rule, kinds: ['tarball'] });
const fetchLock = (lock: string, fake: FakeOrigin, cache: string, ...more: string[]) =>
  runCli(['fetch', '--lockfile', tempFile('package-lock.json', lock), '--json', ...more, ...at(fake, cache)]);

/** The newest version of some packages, and another one of those that have more. */
function someVersions(fake: FakeOrigin, count = 8): Version[] {
  return plainNames(fake, count).flatMap((name) => {
    const versions = versionsOf(fake, name);
    return versions.length > 1 ? [versions[0] as Version, versions.at(-1) as Version] : versions;
  });
}

const pnpm = (versions: readonly Version[]) =>
  `lockfileVersion: '9.0'\npackages:\n${versions.map(({ name, version, dist }) => `  '${name}@${version}':\n    resolution: {integrity: ${dist.integrity}}\n`).join('')}`;
const yarn1 = (versions: readonly Version[]) =>
  `# yarn lockfile v1\n\n${versions.map(({ name, version, dist }) => `"${name}@${version}":\n  version "${version}"\n  resolved "${dist.tarball}#${dist.shasum}"\n`).join('\n')}`;
const yarn4 = (versions: readonly Version[]) =>
  `__metadata:\n  version: 8\n\n${versions.map(({ name, version }) => `"${name}@npm:${version}":\n  version: ${version}\n  resolution: "${name}@npm:${version}"\n  checksum: 10c0/00\n`).join('\n')}`;
const bun = (versions: readonly Version[]) =>
  JSON.stringify({
    lockfileVersion: 1,
    workspaces: { '': {} },
    packages: Object.fromEntries(
      versions.map(({ name, version, dist }) => [`${name}/${version}`, [`${name}@${version}`, '', {}, dist.integrity]]),
    ),
  });

describe('fetch --lockfile', () => {
  it.each<[string, (versions: readonly Version[]) => string]>([
    ['npm', (versions) => npmLock(versions)],
    ['pnpm', pnpm],
    ['yarn 1', yarn1],
    ['yarn 4', yarn4],
    ['bun', bun],
  ])('%s: fetches the documents and exactly those tarballs, which are then served offline', async (_title, write) => {
    const fake = await startFake({ packages: 80, seed: 31, tarballs: 'named' });
    const cache = tempDir();
    const versions = someVersions(fake);
    const names = new Set(versions.map(({ name }) => name));
    const run = await fetchLock(write(versions), fake, cache);
    expect(run.code, run.stdout.slice(-2000)).toBe(0);
    expect(only(run, 'lockfile')).toMatchObject({ packages: versions.length, refused: [] });
    expect(only(run, 'done')).toMatchObject({
      stored: names.size,
      tarballs: { stored: versions.length, failed: 0 },
      exitCode: 0,
    });
    expect(fake.stats()).toMatchObject({
      requests: names.size + versions.length,
      byKind: { packument: names.size, tarball: versions.length },
    });
    expect(tarballRows(cache).filter(({ pinned }) => pinned).length).toBe(versions.length);
    fake.resetStats();
    const served = await serveOffline(held(fake, cache));
    expect(await servedIntegrities(served, fake, versions)).toEqual(versions.map(({ dist }) => dist.integrity));
    served.kill('SIGTERM');
    await served.done;
    expect(fake.stats().requests).toBe(0);
  });

  it('asks nobody for anything when it is all held, whoever brought it', async () => {
    const fake = await startFake({ packages: 80, seed: 32 });
    const cache = tempDir();
    const versions = someVersions(fake);
    await fetchLock(npmLock(versions), fake, cache);
    fake.resetStats();
    const again = await fetchLock(npmLock(versions), fake, cache);
    expect(only(again, 'done')).toMatchObject({ exitCode: 0, requests: 0, tarballs: { held: versions.length } });
    const other = await fetchLock(pnpm(versions.slice(2)), fake, cache);
    expect(only(other, 'done')).toMatchObject({ exitCode: 0, requests: 0 });
    expect(fake.stats().requests).toBe(0);
  });

  it('asks for a document again only when the one that is held lacks a version', async () => {
    const fake = await startFake({ packages: 80, seed: 33 });
    const cache = tempDir();
    const versions = someVersions(fake);
    await fetchLock(npmLock(versions), fake, cache);
    const [grown] = plainNames(fake, 1) as [string];
    fake.publish(grown);
    const latest = versionsOf(fake, grown).at(-1) as Version;
    fake.resetStats();
    const run = await fetchLock(npmLock([...versions, latest]), fake, cache);
    expect(run.code, run.stdout.slice(-1000)).toBe(0);
    expect(fake.stats()).toMatchObject({ requests: 2, byKind: { packument: 1, tarball: 1 } });
  });

  it('a lockfile that wants other bytes than the registry has is an integrity failure that says so', async () => {
    const fake = await startFake({ packages: 80, seed: 34 });
    const versions = someVersions(fake);
    const [changed] = versions as [Version];
    const integrity = `sha512-${Buffer.alloc(64).toString('base64')}`;
    const lock = npmLock(versions, (version) => (version === changed ? { integrity } : {}));
    const run = await fetchLock(lock, fake, tempDir());
    expect(run.code).toBe(5);
    expect(only(run, 'error')).toMatchObject({ code: 'ERR_INTEGRITY', name: expect.stringContaining(changed.name) });
    for (const text of [integrity, changed.dist.integrity, 'lockfile'])
      expect(only(run, 'error').message).toContain(text);
    expect(only(run, 'done')).toMatchObject({
      status: 'incomplete',
      exitCode: 5,
      tarballs: { stored: versions.length - 1, failed: 1, mismatched: 1 },
    });
  });

  it('bytes are looked at where lockfile and document name no hash in common', async () => {
    const fake = await startFake({ packages: 80, seed: 35 });
    const versions = someVersions(fake, 4);
    const sha384 = (bytes: Buffer) => `sha384-${createHash('sha384').update(bytes).digest('base64')}`;
    const truths = new Map<Version, string>();
    for (const version of versions)
      truths.set(version, sha384((await ask(fake.url, version.dist.tarball.slice(fake.url.length))).raw));
    const right = await fetchLock(
      npmLock(versions, (version) => ({ integrity: truths.get(version) })),
      fake,
      tempDir(),
    );
    expect(right.code, right.stdout).toBe(0);
    const wrong = await fetchLock(
      npmLock(versions, () => ({ integrity: sha384(Buffer.from('other')) })),
      fake,
      tempDir(),
    );
    expect(wrong.code).toBe(5);
    expect(only(wrong, 'done')).toMatchObject({ tarballs: { mismatched: versions.length } });
  });

  it('gets over faults that pass; wrong bytes that stay are exit 5, other failures exit 3', async () => {
    const fake = await startFake({ packages: 80, seed: 36 });
    const versions = someVersions(fake);
    const [bad] = versions as [Version];
    fake.setFaults([
      tarball({ fault: 'cut-body', times: 1, share: 0.4 }),
      tarball({ fault: 'corrupt-gzip', times: 1, share: 0.4 }),
      tarball({ fault: '503', times: 1, share: 0.4 }),
    ]);
    expect(await fetchLock(npmLock(versions), fake, tempDir())).toMatchObject({ code: 0 });
    const path = `^${bad.dist.tarball.slice(fake.url.length)}$`;
    fake.setFaults([tarball({ fault: 'corrupt-gzip', path })]);
    expect(await fetchLock(npmLock(versions), fake, tempDir())).toMatchObject({ code: 5 });
    fake.setFaults([tarball({ fault: 'cut-body', path })]);
    const cut = await fetchLock(npmLock(versions), fake, tempDir());
    expect(cut.code).toBe(3);
    expect(only(cut, 'done')).toMatchObject({ tarballs: { stored: versions.length - 1, failed: 1, mismatched: 0 } });
    fake.setFaults([tarball({ fault: 'not-found', path })]);
    const gone = await fetchLock(npmLock(versions), fake, tempDir());
    expect([gone.code, only(gone, 'error')['code']]).toEqual([3, 'ERR_NO_TARBALL']);
  });

  it('a version, or a package, that the registry does not have fails alone', async () => {
    const fake = await startFake({ packages: 80, seed: 37 });
    const versions = someVersions(fake);
    const [first] = versions as [Version];
    const gone = { ...first, version: '99.99.99' };
    const stranger = { ...first, name: 'no-such-package-here' };
    const run = await fetchLock(npmLock([...versions, gone, stranger]), fake, tempDir());
    expect(run.code).toBe(3);
    const errors = run.events.filter(({ type }) => type === 'error');
    expect(errors.map(({ code, message }) => `${code} ${message.split(' ')[0]}`).sort()).toEqual(
      [`ERR_NO_VERSION ${first.name}@99.99.99`, `ERR_NO_VERSION no-such-package-here@${first.version}`].sort(),
    );
    expect(only(run, 'done')).toMatchObject({ tarballs: { stored: versions.length, failed: 2 } });
  });

  it('refuses and lists tarballs at other hosts, asks none of them, and takes mirrors that are named', async () => {
    const fake = await startFake({ packages: 80, seed: 38 });
    const other = await startFake({ packages: 80, seed: 38 });
    const versions = someVersions(fake);
    const [elsewhere, url] = versions as [Version, Version];
    const there = elsewhere.dist.tarball.replace(fake.url, other.url);
    const lock = npmLock(versions, (version) => {
      if (version === elsewhere) return { resolved: there };
      return version === url ? { resolved: `${other.url}/files/x.tgz` } : {};
    });
    const run = await fetchLock(lock, fake, tempDir());
    expect(run.code).toBe(3);
    expect(only(run, 'lockfile')).toMatchObject({
      packages: versions.length - 2,
      refused: [
        { name: elsewhere.name, version: elsewhere.version, url: there },
        { name: url.name, url: `${other.url}/files/x.tgz` },
      ],
    });
    expect(only(run, 'done')).toMatchObject({ tarballs: { stored: versions.length - 2, failed: 0 } });
    const mirrored = await fetchLock(lock, fake, tempDir(), '--mirror-host', new URL(other.url).host);
    expect(only(mirrored, 'lockfile')).toMatchObject({ packages: versions.length - 1, refused: [{ name: url.name }] });
    expect(other.stats().requests).toBe(0);
    const plain = await runCli(['fetch', '--lockfile', '-', ...at(fake, tempDir())], { input: lock });
    expect(plain).toMatchObject({ code: 3, stdout: '' });
    expect(plain.stderr).toContain(`  ${elsewhere.name}@${elsewhere.version}: ${there}\n`);
  });

  it('fetches what aliases stand for; counts what comes from elsewhere and skips it', async () => {
    const fake = await startFake({ packages: 80, seed: 39 });
    const [version] = someVersions(fake) as [Version];
    const { name, dist } = version;
    const packages = {
      'tools/x': { name: 'x', version: '1.0.0' },
      'node_modules/x': { link: true, resolved: 'tools/x' },
      'node_modules/alias': { name, version: version.version, resolved: dist.tarball, integrity: dist.integrity },
      'node_modules/alias/node_modules/inside': { version: '1.0.0', inBundle: true },
      'node_modules/g': { version: '1.0.0', resolved: 'git+ssh://git@git.example/a/g.git#00' },
      'node_modules/f': { version: '1.0.0', resolved: 'file:f-1.0.0.tgz' },
    };
    const run = await fetchLock(JSON.stringify({ lockfileVersion: 3, packages }), fake, tempDir());
    expect(run.code).toBe(0);
    expect(only(run, 'lockfile')).toMatchObject({ packages: 1, skipped: { bundled: 1, git: 1, file: 1, link: 1 } });
    expect(only(run, 'done')).toMatchObject({ stored: 1, tarballs: { stored: 1 } });
  });

  it('goes on after a kill', async () => {
    const fake = await startFake({ packages: 200, seed: 40, tarballs: 'named', latencyMs: 30 });
    const cache = tempDir();
    const versions = someVersions(fake, 40);
    const file = tempFile('package-lock.json', npmLock(versions));
    const flags = ['fetch', '--lockfile', file, '--json', '--concurrency', '4', ...at(fake, cache)];
    const first = startCli(flags);
    await until(() => fake.stats().byKind.tarball > versions.length / 2, 'half of the tarballs are asked for');
    first.kill('SIGKILL');
    await first.done;
    const second = await runCli(flags);
    expect(second.code, second.stdout.slice(-1000)).toBe(0);
    expect(only(second, 'start')).toMatchObject({ resumed: true });
    const names = new Set(versions.map(({ name }) => name));
    expect(fake.stats().byKind.packument).toBe(names.size);
    expect(fake.stats().byKind.tarball).toBeLessThanOrEqual(versions.length + 4);
    expect(tarballRows(cache).filter(({ pinned }) => pinned).length).toBe(versions.length);
  });

  it.each<[string, string[], string, string]>([
    ['no lockfile', [], '', 'ERR_USAGE'],
    ['a file that is not there', ['--lockfile', 'nowhere.json'], '', 'ERR_NO_FILE'],
    ['what is no lockfile', ['--lockfile', '-'], 'hello', 'ERR_BAD_LOCKFILE'],
    [
      'a package without version',
      ['--lockfile', '-'],
      '{"lockfileVersion":3,"packages":{"node_modules/a":{}}}',
      'ERR_BAD_LOCKFILE',
    ],
    [
      'a name that leads elsewhere',
      ['--lockfile', '-'],
      '{"lockfileVersion":3,"packages":{"node_modules/../../a":{"version":"1.0.0"}}}',
      'ERR_BAD_LOCKFILE',
    ],
  ])('refuses %s', async (_title, flags, input, code) => {
    const fake = await startFake({ packages: 12, seed: 41 });
    const run = await runCli(['fetch', ...flags, ...at(fake, tempDir())], { input });
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(new RegExp(`^error ${code}: `)) });
    expect(fake.stats().requests).toBe(0);
  });
});
