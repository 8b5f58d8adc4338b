import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOCKFILES } from '../../../test/e2e/lockfiles.ts';
import { sortByHost } from '../src/selection/lockfile/hosts.ts';
import { lockedPackages, lockfileNames } from '../src/selection/lockfile/index.ts';

const npm = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages });
const pnpm = (version: string, text: string) => `lockfileVersion: '${version}'\npackages:\n${text}`;
const URL_OF = 'https://registry.example.test/a/-/a-1.0.0.tgz';
const SHA1 = 'sha1-AAECAwQFBgcICQoLDA0ODxAREhM=';
const HEX = '000102030405060708090a0b0c0d0e0f10111213';
const SUM = 'sha512-AAAA';
const NONE = { bundled: 0, git: 0, file: 0, link: 0 };

describe('lockedPackages', () => {
  it.each<[string, string, object[]]>([
    [
      'npm',
      npm({ 'node_modules/a': { version: '1.0.0', resolved: URL_OF, integrity: SUM } }),
      [{ name: 'a', version: '1.0.0', resolved: URL_OF, integrity: SUM }],
    ],
    ['npm, without resolved', npm({ 'node_modules/@s/a': { version: '1.0.0' } }), [{ name: '@s/a', version: '1.0.0' }]],
    [
      'npm: packages of all platforms, dev, optional and peer ones',
      npm({
        'node_modules/a': { version: '1.0.0', optional: true, os: ['win32'], cpu: ['arm64'] },
        'node_modules/b': { version: '1.0.0', dev: true },
        'node_modules/c': { version: '1.0.0', peer: true },
      }),
      ['a', 'b', 'c'].map((name) => ({ name, version: '1.0.0' })),
    ],
    [
      'npm: several versions, each once',
      npm({
        'node_modules/a': { version: '1.0.0' },
        'node_modules/b/node_modules/a': { version: '2.0.0' },
        'node_modules/c/node_modules/a': { version: '2.0.0' },
      }),
      [
        { name: 'a', version: '1.0.0' },
        { name: 'a', version: '2.0.0' },
      ],
    ],
    [
      'npm 1: an alias',
      '{"lockfileVersion":1,"dependencies":{"x":{"version":"npm:@s/a@1.0.0-rc.1","integrity":"sha512-AAAA"}}}',
      [{ name: '@s/a', version: '1.0.0-rc.1', integrity: SUM }],
    ],
    [
      'pnpm 5',
      pnpm('5.4', `  /@s/a/1.0.0_b@2.0.0:\n    resolution: {integrity: ${SUM}}\n`),
      [{ name: '@s/a', version: '1.0.0', integrity: SUM }],
    ],
    [
      'pnpm 6',
      pnpm('6.0', `  /a@1.0.0-x_y(b@2.0.0):\n    resolution: {integrity: ${SUM}, tarball: "${URL_OF}"}\n`),
      [{ name: 'a', version: '1.0.0-x', integrity: SUM, resolved: URL_OF }],
    ],
    [
      'pnpm 9',
      pnpm('9.0', `  'a@1.0.0+build':\n    resolution: {integrity: ${SUM}}\n`),
      [{ name: 'a', version: '1.0.0+build', integrity: SUM }],
    ],
    [
      'yarn 1',
      `# yarn lockfile v1\n\na@^1:\n  version "1.0.0"\n  resolved "${URL_OF}#${HEX}"\n  integrity ${SUM}\n`,
      [{ name: 'a', version: '1.0.0', resolved: `${URL_OF}#${HEX}`, integrity: SUM }],
    ],
    [
      'yarn 1 of before integrities: the SHA-1 behind the URL',
      `# yarn lockfile v1\n\na@^1, a@~1:\n  version "1.0.0"\n  resolved "${URL_OF}#${HEX}"\n`,
      [{ name: 'a', version: '1.0.0', resolved: `${URL_OF}#${HEX}`, integrity: SHA1 }],
    ],
    [
      'yarn 1: an offline mirror',
      `# yarn lockfile v1\n\na@^1:\n  version "1.0.0"\n  resolved a-1.0.0.tgz#${HEX}\n`,
      [{ name: 'a', version: '1.0.0', integrity: SHA1 }],
    ],
    [
      'yarn 4: its checksums are no integrities',
      '__metadata:\n  version: 8\n\n"a@npm:^1":\n  version: 1.0.0\n  resolution: "a@npm:1.0.0"\n  checksum: 10c0/abcdef\n',
      [{ name: 'a', version: '1.0.0' }],
    ],
    [
      'yarn 4: where an archive lies, and what is patched',
      `__metadata:\n  version: 8\n\n"a@npm:^1":\n  resolution: "a@npm:1.0.0::__archiveUrl=${encodeURIComponent(URL_OF)}"\n"b@patch":\n  resolution: "b@patch:b@npm%3A2.0.0#x.patch::version=2.0.0&hash=00"\n`,
      [
        { name: 'a', version: '1.0.0', resolved: URL_OF },
        { name: 'b', version: '2.0.0' },
      ],
    ],
    [
      'bun',
      JSON.stringify({
        lockfileVersion: 1,
        workspaces: {},
        packages: { a: ['a@1.0.0', '', {}, SUM], 'b/a': ['@s/a@2.0.0', URL_OF, {}, SUM] },
      }),
      [
        { name: 'a', version: '1.0.0', integrity: SUM },
        { name: '@s/a', version: '2.0.0', integrity: SUM, resolved: URL_OF },
      ],
    ],
  ])('%s', (_title, text, packages) => {
    expect(lockedPackages(text, 'lock')).toEqual({ packages, tarballs: [], skipped: NONE });
  });

  it('passes by, with a count, what no registry has', () => {
    const text = npm({
      '': { name: 'root' },
      'tools/w': { name: 'w', version: '1.0.0' },
      'node_modules/w': { link: true, resolved: 'tools/w' },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/a/node_modules/inside': { version: '1.0.0', inBundle: true },
      'node_modules/g': { version: '1.0.0', resolved: 'git+ssh://git@git.example/a/g.git#00' },
      'node_modules/h': { version: '1.0.0', resolved: 'git+https://git.example/a/h.git#00' },
      'node_modules/f': { version: '1.0.0', resolved: 'file:f-1.0.0.tgz' },
      'node_modules/u': { version: '1.0.0', resolved: 'https://files.example/u.tgz' },
    });
    expect(lockedPackages(text, 'lock')).toEqual({
      packages: [{ name: 'a', version: '1.0.0' }],
      tarballs: [{ name: 'u', url: 'https://files.example/u.tgz' }],
      skipped: { bundled: 1, git: 2, file: 1, link: 1 },
    });
  });

  it.each(LOCKFILES)('$title: has a version for each name, and what it skips is counted', ({ text, names, file }) => {
    const { packages, tarballs, skipped } = lockedPackages(text, file);
    const found = new Set(packages.map(({ name }) => name));
    // What lies inside of others' tarballs is a name to list, and nothing to fetch.
    expect(names.length - found.size).toBeLessThanOrEqual(skipped.bundled);
    for (const name of found) expect(names).toContain(name);
    for (const { version } of packages) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    for (const { url } of tarballs) expect(url).toMatch(/^https?:\/\/(files|codeload)\.example\//);
  });

  it.each<[string, string]>([
    ['a package without version', npm({ 'node_modules/a': {} })],
    ['a version that is a number', npm({ 'node_modules/a': { version: 1 } })],
    ['only workspaces', npm({ 'node_modules/w': { link: true, resolved: 'w' } })],
    ['a name that leads elsewhere', npm({ 'node_modules/../../a': { version: '1.0.0' } })],
  ])('refuses: %s', (_title, text) => {
    expect(() => lockedPackages(text, 'the-file')).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_LOCKFILE', exitCode: 2, message: expect.stringContaining('the-file') }),
    );
  });

  it('takes only text for text', () => {
    const text = npm({ 'node_modules/a': { version: '1.0.0', integrity: 5 } });
    expect(lockedPackages(text, 'lock').packages).toEqual([{ name: 'a', version: '1.0.0' }]);
  });

  it('names and versions come from the same entries, whatever a lockfile holds', () => {
    const part = fc.constantFrom('a', 'bc', '1', 'x-y');
    const name = fc.oneof(
      part,
      fc.tuple(part, part).map(([scope, rest]) => `@${scope}/${rest}`),
    );
    const entry = fc.record({
      version: fc.constantFrom('1.0.0', '2.0.0-rc.1'),
      resolved: fc.option(fc.constantFrom(URL_OF, 'git+ssh://x/y.git', 'file:x', 'https://files.example/x.tgz'), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(fc.dictionary(name, entry, { minKeys: 1, noNullPrototype: true }), (entries) => {
        const packages = Object.fromEntries(
          Object.entries(entries).map(([key, value]) => [`node_modules/${key}`, value]),
        );
        const text = npm({ ...packages, 'node_modules/always': { version: '1.0.0' } });
        const found = new Set(lockedPackages(text, 'lock').packages.map(({ name }) => name));
        expect(found).toEqual(lockfileNames(text, 'lock'));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('sortByHost', () => {
  const registry = 'https://registry.example.test/some/path/';
  const sorted = (resolved: string | undefined, mirrors?: string[]) =>
    sortByHost(
      { packages: [{ name: 'a', version: '1.0.0', resolved }], tarballs: [], skipped: NONE },
      registry,
      mirrors,
    ).packages.length === 1;
  /** The public registry, and yarn's name for it. */
  const PUBLIC = [
    ['npmjs', 'org'],
    ['yarnpkg', 'com'],
  ].map((labels) => `https://registry.${labels.join('.')}/a/-/a-1.0.0.tgz`);

  it('takes what names the registry, the public one, or nobody', () => {
    for (const url of [undefined, URL_OF, URL_OF.replace('https', 'http'), ...PUBLIC]) expect(sorted(url)).toBe(true);
  });

  it.each([
    'https://other.example.test/a/-/a-1.0.0.tgz',
    'https://registry.example.test:8443/a/-/a-1.0.0.tgz',
    'https://registry.example.test@other.example/a/-/a-1.0.0.tgz',
    'https://registry.example.test.other.example/a/-/a-1.0.0.tgz',
    'http://127.0.0.1/a/-/a-1.0.0.tgz',
    'file:///a/-/a-1.0.0.tgz',
    'not a URL',
  ])('refuses %s', (url) => {
    expect(sorted(url)).toBe(false);
  });

  it('takes a mirror that is named, with its port', () => {
    const url = 'http://127.0.0.1:4873/a/-/a-1.0.0.tgz';
    expect(sorted(url, ['127.0.0.1:4873'])).toBe(true);
    expect(sorted(url, ['127.0.0.1'])).toBe(false);
    expect(sorted('https://Mirror.example/a/-/a-1.0.0.tgz', ['MIRROR.example'])).toBe(true);
  });
});
