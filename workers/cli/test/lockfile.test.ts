import { describe, expect, it } from 'vitest';
import { LOCKFILES } from '../../../test/e2e/lockfiles.ts';
import { lockfileNames } from '../src/selection/lockfile.ts';

const npm = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages });
const pnpm = (version: string, ...keys: string[]) =>
  `lockfileVersion: '${version}'\npackages:\n${keys.map((key) => `  '${key}':\n    resolution: {integrity: sha512-AAAA}\n`).join('')}`;

describe('lockfileNames', () => {
  it.each(LOCKFILES)('$title', ({ text, names, file }) => {
    expect([...lockfileNames(text, file)].sort()).toEqual([...names].sort());
  });

  it.each<[string, string, string[]]>([
    ['npm left `resolved` out', npm({ 'node_modules/a': { version: '1.0.0' } }), ['a']],
    [
      'the same package at many places is one',
      npm({ 'node_modules/a': {}, 'node_modules/b/node_modules/a': {}, 'node_modules/b': {} }),
      ['a', 'b'],
    ],
    ['a package called node_modules', npm({ 'node_modules/node_modules': {} }), ['node_modules']],
    ['a scoped one below a scoped one', npm({ 'node_modules/@a/b/node_modules/@c/d': {} }), ['@c/d']],
    [
      'a workspace is none',
      npm({ 'tools/a': { name: 'a' }, 'node_modules/a': { link: true, resolved: 'tools/a' }, 'node_modules/b': {} }),
      ['b'],
    ],
    [
      'names like properties of objects',
      npm({ 'node_modules/constructor': {}, 'node_modules/__proto__x': {}, 'node_modules/toString': {} }),
      ['__proto__x', 'constructor', 'toString'],
    ],
    ['a byte order mark', `\ufeff${npm({ 'node_modules/a': {} })}`, ['a']],
    ['pnpm 5: peers behind an underscore', pnpm('5.4', '/a/1.0.0_b@2.0.0', '/@s/c/1.0.0_@s+d@2.0.0'), ['@s/c', 'a']],
    ['pnpm 6: peers in brackets', pnpm('6.0', '/a@1.0.0(b@2.0.0)(@s/d@3.0.0)', '/@s/c@1.0.0(a@1.0.0)'), ['@s/c', 'a']],
    [
      'pnpm 9: pre-releases and builds',
      pnpm('9.0', 'a@1.0.0-rc.1', 'b@2.0.0+build', '@s/c@0.0.0-2024'),
      ['@s/c', 'a', 'b'],
    ],
    [
      'pnpm: a tarball with integrity from the registry',
      'lockfileVersion: "6.0"\npackages:\n  /a@1.0.0:\n    resolution: {integrity: sha512-AAAA, tarball: http://127.0.0.1:9/a/-/a-1.0.0.tgz}\n',
      ['a'],
    ],
    ['Windows line ends', pnpm('9.0', 'a@1.0.0').replaceAll('\n', '\r\n'), ['a']],
  ])('%s', (_title, text, names) => {
    expect([...lockfileNames(text, 'lock')].sort()).toEqual(names);
  });

  it.each<[string, string]>([
    ['empty', ''],
    ['white space', ' \n\n'],
    ['JSON of something else', '{"name":"x"}'],
    ['JSON that is cut', '{"lockfileVersion":3'],
    ['a lockfileVersion that is text', '{"lockfileVersion":"3","packages":{"node_modules/a":{}}}'],
    ['no package', npm({})],
    ['a JSON array', '[]'],
    ['YAML of something else', 'a: 1\n'],
    ['YAML that is cut', 'lockfileVersion: "9.0"\npackages: {'],
    ['text', 'hello'],
    ['entries that are null', npm({ 'node_modules/a': null })],
    ['dependencies that are null', '{"lockfileVersion":1,"dependencies":{"a":null}}'],
    ['YAML entries that are null', 'lockfileVersion: "9.0"\npackages:\n  a@1.0.0:\n'],
  ])('refuses: %s', (_title, text) => {
    expect(() => lockfileNames(text, 'the-file')).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_LOCKFILE', exitCode: 2, message: expect.stringContaining('the-file') }),
    );
  });

  it('is not slow on hostile YAML', () => {
    const bomb = [
      'lockfileVersion: "9.0"',
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...Array.from(
        { length: 20 },
        (_, i) =>
          `b${i}: &b${i} [*${i === 0 ? 'a' : `b${i - 1}`},*${i === 0 ? 'a' : `b${i - 1}`},*${i === 0 ? 'a' : `b${i - 1}`}]`,
      ),
      '',
    ].join('\n');
    const begun = performance.now();
    expect(() => lockfileNames(bomb, 'bomb')).toThrow(expect.objectContaining({ code: 'ERR_BAD_LOCKFILE' }));
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});
