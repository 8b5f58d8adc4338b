import { describe, expect, it } from 'vitest';
import { LOCKFILES } from '../../../test/e2e/lockfiles.ts';
import { lockfileNames } from '../src/selection/lockfile/index.ts';

const npm = (packages: object) => JSON.stringify({ lockfileVersion: 3, packages });
const pnpm = (version: string, ...keys: string[]) =>
  `lockfileVersion: '${version}'\npackages:\n${keys.map((key) => `  '${key}':\n    resolution: {integrity: sha512-AAAA}\n`).join('')}`;

const classic = (...entries: string[]) => ['# yarn lockfile v1\n\n', ...entries].join('\n');
const found = (head: string, name: string) =>
  `${head}:\n  version "1.0.0"\n  resolved "http://127.0.0.1:9/${name}/-/${name}-1.0.0.tgz#00"\n`;
const berry = (...resolutions: string[]) =>
  `__metadata:\n  version: 6\n\n${resolutions.map((resolution, i) => `"key-${i}":\n  resolution: ${JSON.stringify(resolution)}\n`).join('\n')}`;
const bun = (...specs: unknown[][]) =>
  `{"lockfileVersion": 1, "workspaces": {"": {},}, "packages": {${specs.map((spec, i) => `"${i}": ${JSON.stringify(spec)},`).join('\n')}}}`;

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
    ['the kind is told by what it says', classic(found('a@^1.0.0', 'a')), ['a']],
    ['yarn 1: without its header', found('a@^1.0.0', 'a'), ['a']],
    ['yarn 1: Windows line ends', classic(found('a@^1.0.0', 'a')).replaceAll('\n', '\r\n'), ['a']],
    ['yarn 1: a tarball of an offline mirror', classic('a@^1.0.0:\n  version "1"\n  resolved a-1.0.0.tgz#00\n'), ['a']],
    ['yarn 1: no tarball', classic('a@^1.0.0, a@~1:\n  version "1"\n'), ['a']],
    ['yarn 1: no range', classic(found('a@', 'a'), found('b', 'b'), found('"@s/c"', 'c')), ['@s/c', 'a', 'b']],
    [
      'yarn 1: ranges with spaces and bars',
      classic(found('"a@1 || 2", "a@>=1 <3, "', 'a'), found('"@s/c@^1, 2"', 'c')),
      ['@s/c', 'a'],
    ],
    [
      'yarn 1: an alias of a scoped package, and its own name',
      classic(found('"@s/c@^1", "x@npm:@s/c@^1", "y@npm:@s/c"', 'c')),
      ['@s/c'],
    ],
    [
      'yarn 1: a range that a resolution turned into a tarball from elsewhere',
      classic(
        'b@^1.0.0, "b@https://files.example/b.tgz":\n  version "1"\n  resolved "https://files.example/b.tgz#0"\n',
        found('a@1', 'a'),
      ),
      ['a'],
    ],
    [
      'yarn 1: names like properties of objects',
      classic(found('constructor@1', 'constructor'), found('__proto__@1', '__proto__')),
      ['__proto__', 'constructor'],
    ],
    ['yarn 4: a patch of a patch', berry('a@patch:a@patch%3Aa@npm%253A1.0.0%23one.patch#two.patch::version=1'), ['a']],
    ['yarn 4: a patch of an alias', berry('x@patch:a@npm%3A1.0.0#optional!builtin<compat/a>'), ['a']],
    ['yarn 4: a patch of a file is none', berry('x@patch:x@file%3A./x.tgz#a.patch', 'a@npm:1.0.0'), ['a']],
    ['yarn 4: Windows line ends', berry('a@npm:1.0.0').replaceAll('\n', '\r\n'), ['a']],
    [
      'bun: strict JSON',
      JSON.stringify(JSON.parse('{"lockfileVersion":0,"workspaces":{},"packages":{"a":["a@1.0.0","",{}]}}')),
      ['a'],
    ],
    [
      'bun: comments, and text that looks like one',
      `// first\n${bun(['a@1.0.0', 'https://files.example/a/-/a,}.tgz', { bin: '/* , ] */' }])}\n/* last`,
      ['a'],
    ],
    ['bun: escapes', bun(['\\u0061@1.0.0'.replace('\\u0061', 'a'), '', { bin: 'a\\"b, ]' }]), ['a']],
    ['bun: a tarball that is named like a version', bun(['b@1.0.0.tgz', {}], ['a@1.0.0', '', {}]), ['a']],
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
    ['dependencies that are nothing', '{"lockfileVersion":1,"dependencies":null}'],
    ['packages that are text', '{"lockfileVersion":3,"packages":"node_modules/a"}'],
    ['a name that is a number', npm({ 'node_modules/a': { name: 1 } })],
    ['a name that leads elsewhere', npm({ 'node_modules/../../secret': {} })],
    ['a name that is encoded', npm({ 'node_modules/a%2fb': {} })],
    [
      'conflicts of a merge',
      classic('<<<<<<< ours', found('a@^1.0.0', 'a'), '=======', found('a@^2.0.0', 'a'), '>>>>>>> theirs'),
    ],
    ['yarn 1: no entry', classic()],
    ['yarn 1: only from elsewhere', classic('"a@file:../a":\n  version "1"\n')],
    ['yarn 1: a head that is cut', classic(found('a@^1.0.0', 'a'), 'b@^1')],
    ['yarn 1: a value that is cut', classic('a@^1.0.0:\n  version "1.0.0"\n  resolved "http://127.0.0.1:9/a/-/a.tg')],
    ['yarn 1: a key that is cut', classic('"a@^1.0.0, b@^1:\n  version "1"\n')],
    ['yarn 1: a name that is none', classic(found('"..@1"', 'a'))],
    ['yarn 4: no entry', berry()],
    ['yarn 4: an entry that is text', `${berry('a@npm:1.0.0')}\nb: text\n`],
    ['yarn 4: an entry without resolution', `${berry('a@npm:1.0.0')}\nb:\n  version: 1\n`],
    ['yarn 4: only workspaces', berry('a@workspace:.')],
    ['yarn 4: a patch that is not encoded well', berry('a@patch:a@npm%3#x')],
    ['yarn 4: a patch of nothing', berry('a@patch:#x')],
    ['yarn 4: __metadata alone', '__metadata:\n'],
    ['bun: cut', bun(['a@1.0.0', '', {}]).slice(0, -3)],
    ['bun: cut inside of a text', '{"lockfileVersion":1,"workspaces":{},"packages":{"a'],
    ['bun: no packages', '{"lockfileVersion":1,"workspaces":{"":{"name":"x"}}}'],
    ['bun: packages that are null', '{"lockfileVersion":1,"workspaces":{},"packages":null}'],
    ['bun: an entry that is text', '{"lockfileVersion":1,"workspaces":{},"packages":{"a":"a@1.0.0"}}'],
    ['bun: an entry that is empty', bun([])],
    ['bun: an entry that begins with a number', bun([1, '', {}])],
    ['bun: only workspaces', bun(['a@workspace:a'])],
    ['bun: the binary form', '#!/usr/bin/env bun\nbun-lockfile-format-v0\n\u0002\u0000\ufffd'],
    ['YAML entries that are null', 'lockfileVersion: "9.0"\npackages:\n  a@1.0.0:\n'],
  ])('refuses: %s', (_title, text) => {
    expect(() => lockfileNames(text, 'the-file')).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_LOCKFILE', exitCode: 2, message: expect.stringContaining('the-file') }),
    );
  });

  it('says how to make the text form of a binary one, and which kinds are read', () => {
    expect(() => lockfileNames('#!/usr/bin/env bun\nbun-lockfile-format-v0\n', 'bun.lockb')).toThrow(
      /bun install --save-text-lockfile.*package-lock\.json.*npm-shrinkwrap\.json.*pnpm-lock\.yaml.*yarn\.lock.*bun\.lock/,
    );
  });

  const many = (text: string) => text.repeat(200_000);
  it.each<[string, string]>([
    ['quotes that never end', `{"lockfileVersion":1,"workspaces":{},"${many('\\"')}`],
    ['backslashes', `{"lockfileVersion":1,"workspaces":{},"${many('\\')}`],
    ['comments that never end', `{,${many('/*')}`],
    ['commas', `{,${many(', ')}`],
    ['spaces after a comma', `{,${many('  ')}x`],
    ['brackets', `{"a":${many('[')}`],
    [
      'dependencies in each other',
      `{"lockfileVersion":1,"dependencies":${'{"a":{"version":"file:","dependencies":'.repeat(50_000)}{}${'}}'.repeat(50_000)}}`,
    ],
    ['a head of quotes', `# yarn lockfile v1\n${many('"')}:\n`],
    ['a head of commas', `# yarn lockfile v1\n${many('a@1, ')}"":\n`],
    ['a head of backslashes', `# yarn lockfile v1\n"${many('\\"')}:\n`],
    ['signs', `# yarn lockfile v1\n"${many('@')}":\n  version "1"\n`],
    ['patches of patches', berry(`a@${many('patch:a@')}`.slice(0, 100_000))],
  ])('is not slow on hostile text: %s', (_title, text) => {
    const begun = performance.now();
    try {
      lockfileNames(text, 'hostile');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_BAD_LOCKFILE' });
    }
    expect(performance.now() - begun).toBeLessThan(2_000);
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
