import { defaultCacheDirectory, deriveOrigin, readNpmSettings, USE_MARKS } from '@_all_docs/worker-node';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

/** The public registry's host, which is npm's to know and is spelled nowhere here. */
const host = (first: string, top: string) => [first, 'npmjs', top].join('.');

describe('readNpmSettings', () => {
  let cwd: string;
  let env: NodeJS.ProcessEnv;
  const project = (text: string) => writeFile(join(cwd, '.npmrc'), text);
  beforeEach(async () => {
    const home = await temporaryDirectory();
    cwd = join(home, 'project');
    await mkdir(cwd);
    await writeFile(join(cwd, 'package.json'), '{}');
    env = {
      HOME: home,
      USERPROFILE: home,
      PATH: process.env['PATH'],
      npm_config_globalconfig: join(home, 'none'),
      npm_config_prefix: home,
    };
  });

  it("is npm's own default where nothing is said", async () => {
    const { registry, authorization } = await readNpmSettings(undefined, { cwd, env });
    expect(registry).toBe(`https://${host('registry', 'org')}`);
    expect(authorization).toBeUndefined();
  });

  it.each(['npm_config_registry', 'NPM_CONFIG_REGISTRY'])('is what %s says, before .npmrc', async (name) => {
    await project('registry=https://file.example/\n');
    env[name] = 'https://env.example/npm/';
    expect((await readNpmSettings(undefined, { cwd, env })).registry).toBe('https://env.example/npm');
  });

  it("is what the project's or the user's .npmrc says", async () => {
    await writeFile(join(env['HOME'] as string, '.npmrc'), 'registry=https://user.example/\n');
    expect((await readNpmSettings(undefined, { cwd, env: { ...env } })).registry).toBe('https://user.example');
    await project('registry=https://project.example/\n');
    expect((await readNpmSettings(undefined, { cwd, env: { ...env } })).registry).toBe('https://project.example');
  });

  it('is what was given, before all else', async () => {
    env['npm_config_registry'] = 'https://env.example/';
    expect((await readNpmSettings('https://GIVEN.example:443/npm/', { cwd, env })).registry).toBe(
      'https://given.example/npm',
    );
  });

  it('is not what `_all_docs use` wrote, but what stood there before, also when npm hands it on', async () => {
    const ours = 'http://127.0.0.1:8080/npm/';
    const used = (kept = '') =>
      `${USE_MARKS.begin} abc\nregistry=${ours}\n${USE_MARKS.end}\nsave-exact=true\n${kept && `${USE_MARKS.aside}${kept}\n`}`;
    const registry = async (more = {}) =>
      (await readNpmSettings(undefined, { cwd, env: { ...env, ...more } })).registry;
    await project(used());
    expect(await registry()).toBe(`https://${host('registry', 'org')}`);
    await writeFile(join(env['HOME'] as string, '.npmrc'), 'registry=https://user.example/\n');
    expect(await registry()).toBe('https://user.example');
    await project(used('registry = "https://project.example/"'));
    expect(await registry({ npm_config_registry: ours })).toBe('https://project.example');
    expect(await registry({ npm_config_registry: 'https://env.example' })).toBe('https://env.example');
    expect((await readNpmSettings(ours, { cwd, env })).registry).toBe('http://127.0.0.1:8080/npm');
  });

  it('has the token of that registry and of no other', async () => {
    await project(
      '//one.example/:_authToken=secret-one\n//two.example:8443/npm/:_authToken=secret-two\n//three.example/:username=u\n//three.example/:_password=cA==\n//four.example/:_auth=dTpw\n',
    );
    const authorizationOf = async (registry: string) => (await readNpmSettings(registry, { cwd, env })).authorization;
    expect(await authorizationOf('https://one.example')).toBe('Bearer secret-one');
    expect(await authorizationOf('https://one.example/')).toBe('Bearer secret-one');
    expect(await authorizationOf('https://two.example:8443/npm')).toBe('Bearer secret-two');
    expect(await authorizationOf('https://three.example')).toBe(`Basic ${btoa('u:p')}`);
    expect(await authorizationOf('https://four.example')).toBe('Basic dTpw');
    for (const other of [
      'https://two.example',
      'https://two.example:8443',
      'https://two.example:8443/npm2',
      'https://one.example.evil.example',
      'https://sub.one.example',
      'https://one.example:444',
      'https://example',
    ]) {
      expect(await authorizationOf(other), other).toBeUndefined();
    }
  });

  it('takes tokens from the environment that .npmrc names', async () => {
    await project(`//one.example/:_authToken=\${SECRET}\n`);
    expect(
      (await readNpmSettings('https://one.example', { cwd, env: { ...env, SECRET: 'from-env' } })).authorization,
    ).toBe('Bearer from-env');
  });

  it.each(['nothing', 'ftp://one.example/', '', 'file:///etc'])(
    'refuses a registry that is none: %j',
    async (registry) => {
      expect(await codeOf(() => readNpmSettings(registry, { cwd, env }))).toBe('ERR_BAD_ORIGIN');
    },
  );

  it('leaves the given environment as it was', async () => {
    await project('registry=https://project.example/\n');
    const given = { ...env };
    await readNpmSettings(undefined, { cwd, env });
    expect(env).toEqual(given);
  });

  it('does not show credentials of a URL', async () => {
    const { registry } = await readNpmSettings('https://user:secret@one.example/', { cwd, env });
    expect(registry).toBe('https://one.example');
  });
});

describe('deriveOrigin', () => {
  it.each([
    [`https://${host('registry', 'org')}`, `https://${host('replicate', 'com')}`],
    [`https://${host('registry', 'org')}/`, `https://${host('replicate', 'com')}`],
    [`http://${host('registry', 'com')}`, `http://${host('replicate', 'com')}`],
  ])('%s has %s', (registry, origin) => {
    expect(deriveOrigin(registry)).toBe(origin);
  });

  it.each([
    'https://one.example',
    `https://${host('skimdb', 'com')}`,
    `https://${host('registry', 'net')}`,
    `https://${host('registry', 'org')}.evil.example`,
    `https://a.${host('registry', 'org')}`,
    'http://127.0.0.1:4873',
    `https://one.example/${host('registry', 'org')}`,
  ])('%s has none that is known', (registry) => {
    expect(deriveOrigin(registry)).toBeUndefined();
  });
});

describe('defaultCacheDirectory', () => {
  it.each([
    ['linux', {}, '/home/u/.cache/_all_docs'],
    ['linux', { XDG_CACHE_HOME: '/x' }, '/x/_all_docs'],
    ['linux', { XDG_CACHE_HOME: '' }, '/home/u/.cache/_all_docs'],
    ['freebsd', {}, '/home/u/.cache/_all_docs'],
    ['darwin', { XDG_CACHE_HOME: '/x' }, '/home/u/Library/Caches/_all_docs'],
    ['linux', { ALL_DOCS_CACHE: '/mine', XDG_CACHE_HOME: '/x' }, '/mine'],
    ['darwin', { ALL_DOCS_CACHE: '/mine' }, '/mine'],
    ['linux', { ALL_DOCS_CACHE: '' }, '/home/u/.cache/_all_docs'],
  ] as const)('on %s with %j is %s', (platform, env, path) => {
    expect(defaultCacheDirectory({ HOME: '/home/u', ...env }, platform)).toBe(path);
  });

  it('on Windows is the local folder for applications', () => {
    expect(defaultCacheDirectory({ LOCALAPPDATA: 'L', USERPROFILE: 'U' }, 'win32').replaceAll('\\', '/')).toBe(
      'L/_all_docs/Cache',
    );
    expect(defaultCacheDirectory({ USERPROFILE: 'U' }, 'win32').replaceAll('\\', '/')).toBe(
      'U/AppData/Local/_all_docs/Cache',
    );
  });
});
