import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse as parseToml } from 'smol-toml';
import { afterAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { unuseRegistry, useRegistry } from '../src/clients/change-config.ts';
import { CLIENTS, type Client, clientsOf, configFiles } from '../src/clients/clients.ts';

fc.configureGlobal({ seed: 20261121 });

const URL = 'http://127.0.0.1:8080/npm/';
const OTHER = 'https://npm.example.test/npm/';
const made: string[] = [];
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'all-docs-clients-'));
  made.push(path);
  return path;
}

/** A client's file in a project of its own, with this text in it. */
function given(client: Client, text?: string) {
  const [file] = configFiles([client], { cwd: directory(), global: false, env: {} });
  if (!file) throw new Error('no file');
  if (text !== undefined) writeFileSync(file.path, text);
  return {
    ...file,
    use: (url = URL) => useRegistry(file, url),
    unuse: () => unuseRegistry(file),
    text: () => (existsSync(file.path) ? readFileSync(file.path, 'utf8') : undefined),
    write: (changed: string) => writeFileSync(file.path, changed),
  };
}

/** The registry that a file names, by the rules of its format. */
const registryIn: Record<Client, (text: string) => unknown> = {
  npm: lastOf(/^registry\s*=\s*(.*)$/),
  pnpm: lastOf(/^registry\s*=\s*(.*)$/),
  yarn1: lastOf(/^registry "(.*)"$/),
  yarn4: (text) => parseYaml(text).npmRegistryServer,
  bun: (text) => (parseToml(text) as { install: { registry: string } }).install.registry,
};

function lastOf(line: RegExp) {
  return (text: string) =>
    // What stands below a [section] is another thing's.
    (text.replace(/^\uFEFF/, '').split(/^\[.*\]\s*$/m)[0] as string)
      .split(/\r?\n/)
      .flatMap((each) => line.exec(each)?.[1] ?? [])
      .at(-1);
}

const FILES: Record<Client, string[]> = {
  npm: [
    '',
    '\n',
    'registry=https://registry.example.test/\n',
    'registry = https://registry.example.test/',
    '; mine\n//registry.example.test/:_authToken=$TOKEN\nregistry=https://a.example.test\n@scope:registry=https://b.example.test\nregistry=https://c.example.test\n# end',
    'save-exact=true\r\nregistry=https://registry.example.test/\r\n',
    '\uFEFFregistry=https://registry.example.test/\n',
    '"registry"="https://registry.example.test/"\n[section]\nregistry=not npm\'s\n',
    '#registry=commented\n  ;registry=too\nregistry-of-mine=x\n',
  ],
  pnpm: ['shamefully-hoist=true\nregistry=https://registry.example.test/\n'],
  yarn1: [
    '',
    '# yarn lockfile v1\n\n\nregistry "https://registry.example.test/"\nlastUpdateCheck 1595865\n"@s:registry" "https://b.example.test"\n',
    '"registry" "https://registry.example.test/"\r\nyarn-offline-mirror "./mirror"',
  ],
  yarn4: [
    '',
    '# only a comment\n',
    'nodeLinker: node-modules\n',
    'nodeLinker: node-modules\nnpmRegistryServer: "https://registry.example.test"\nunsafeHttpWhitelist:\n  - "*.internal"\n  - localhost\n# end',
    '---\nunsafeHttpWhitelist: [a.example.test, "b.example.test"]\nnpmScopes:\n  s:\n    npmRegistryServer: "https://b.example.test"\nnpmRegistryServer:\n  https://registry.example.test\n',
    'npmRegistryServer: >-\r\n  https://registry.example.test\r\nyarnPath: .yarn/releases/yarn-4.cjs\r\n',
    'unsafeHttpWhitelist:\n  - "*"\n',
  ],
  bun: [
    '',
    '# mine\n[install]\nexact = true\n',
    '[install]\nexact = true\nregistry = "https://registry.example.test/"\n\n[install.scopes]\ns = "https://b.example.test"\n',
    '[ install ] # here\nregistry = { url = "https://registry.example.test/", token = "$TOKEN" } # old\n[test]\nregistry = "not bun\'s"',
    'telemetry = false',
    '[install.scopes]\ns = "https://b.example.test"\n[install.lockfile]\nsave = false\n',
    '[run]\r\nshell = "system"\r\n',
  ],
};

describe.each(CLIENTS)('use %s', (client) => {
  it.each(FILES[client].map((text) => [text]))(
    'names the registry, and unuse gives back the file byte for byte: %j',
    async (text) => {
      const file = given(client, text);
      expect(await file.use()).toBe('changed');
      expect(registryIn[client](file.text() as string)).toBe(URL);
      expect(await file.use()).toBe('unchanged');
      expect(await file.use(OTHER)).toBe('changed');
      expect(registryIn[client](file.text() as string)).toBe(OTHER);
      expect(await file.use(URL)).toBe('changed');
      expect(await file.unuse()).toBe('changed');
      expect(file.text()).toBe(text);
      expect(await file.unuse()).toBe('unchanged');
    },
  );

  it.each(FILES[client].map((text) => [text]))('keeps every line of the user, also in a comment: %j', async (text) => {
    const file = given(client, text);
    await file.use();
    for (const line of text.replace('\uFEFF', '').split(/\r?\n/)) expect(file.text()).toContain(line);
  });

  it('makes the file where there is none, and unuse removes it', async () => {
    const file = given(client);
    expect(await file.use()).toBe('changed');
    expect(registryIn[client](file.text() as string)).toBe(URL);
    expect(await file.unuse()).toBe('changed');
    expect(file.text()).toBeUndefined();
    expect(await file.unuse()).toBe('unchanged');
  });

  it('lets other lines of the file be changed meanwhile', async () => {
    const text = FILES[client].at(-1);
    const file = given(client, text);
    await file.use();
    file.write(`# new first line\n${file.text()}\n# new last line\n`);
    expect(await file.unuse()).toBe('changed');
    expect(file.text()).toBe(`# new first line\n${text}\n# new last line\n`);

    const fresh = given(client);
    await fresh.use();
    fresh.write(`${fresh.text()}# somebody's\n`);
    await fresh.unuse();
    expect(fresh.text()).toBe("# somebody's\n");
  });

  it('is not undone, nor done again, where its lines were changed', async () => {
    for (const change of [
      (text: string) => text.replace('127.0.0.1:8080', '127.0.0.1:9090'),
      (text: string) => text.replace(/^# <<<.*\n/m, ''),
      (text: string) => text.replace(/^# >>>.*\n/m, ''),
      (text: string) => text.replace(/^# >>>.*$/m, '$&0'),
    ]) {
      const file = given(client, FILES[client][0]);
      await file.use();
      const changed = change(file.text() as string);
      file.write(changed);
      expect(await codeOf(file.unuse)).toBe('ERR_CONFIG_CHANGED');
      expect(await codeOf(() => file.use(OTHER))).toBe('ERR_CONFIG_CHANGED');
      expect(file.text()).toBe(changed);
    }
  });
});

describe('unuse', () => {
  it.each<[Client, string, string]>([
    ['npm', 'registry=https://registry.example.test/\n', 'registry=https://new.example.test/\n'],
    ['yarn1', 'registry "https://registry.example.test/"\n', 'registry "https://new.example.test/"\n'],
    ['yarn4', 'npmRegistryServer: https://registry.example.test\n', 'npmRegistryServer: https://new.example.test\n'],
    ['bun', '[install]\nregistry = "https://registry.example.test/"\n', 'registry = "https://new.example.test/"\n'],
  ])('refuses where the registry was set besides since: %s', async (client, text, added) => {
    const file = given(client, text);
    await file.use();
    file.write(file.text() + added);
    expect(await codeOf(file.unuse)).toBe('ERR_CONFIG_CHANGED');
  });

  it('refuses where a line that it keeps was changed', async () => {
    const file = given('npm', 'registry=https://registry.example.test/\n');
    await file.use();
    file.write((file.text() as string).replace('registry.example', 'other.example'));
    expect(await codeOf(file.unuse)).toBe('ERR_CONFIG_CHANGED');
  });
});

describe('a file that cannot be changed safely', () => {
  it.each<[Client, string]>([
    ['yarn4', '{ nodeLinker: node-modules }\n'],
    ['yarn4', 'a: b\n---\nc: d\n'],
    ['yarn4', 'a: [\n'],
    ['yarn4', 'unsafeHttpWhitelist: &hosts [a]\nother: *hosts\n'],
    ['bun', 'install.registry = "https://registry.example.test"\n'],
    ['bun', '[install.registry]\nurl = "https://registry.example.test"\n'],
    ['bun', 'install = { exact = true }\n'],
    ['bun', 'not toml'],
    ['bun', '[install]\nregistry = """\nhttps://registry.example.test"""\n'],
  ])('is left alone, and the line to write is told: %s %j', async (client, text) => {
    const file = given(client, text);
    expect(await codeOf(file.use)).toBe('ERR_CLIENT_CONFIG');
    await expect(file.use()).rejects.toThrow(/by hand: .*127\.0\.0\.1/);
    expect(file.text()).toBe(text);
  });

  it('is one that is no text', async () => {
    const file = given('npm');
    writeFileSync(file.path, Buffer.from([0x72, 0xff, 0x0a]));
    expect(await codeOf(file.use)).toBe('ERR_CLIENT_CONFIG');
  });
});

describe('any .npmrc', () => {
  const line = fc.oneof(
    fc.constantFrom(
      'registry=https://a.example.test/',
      '  registry = b',
      '# c',
      '; d',
      '',
      '[section]',
      '//h/:_authToken=x',
      'registryx=1',
      "'registry'=q",
    ),
    fc.string(),
  );
  const text = fc
    .tuple(fc.constantFrom('', '\uFEFF'), fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n'))), line)
    .map(
      ([mark, lines, last]) =>
        mark +
        lines.map(([each, end]) => each.replace(/[\r\n\uFEFF]/g, '') + end).join('') +
        last.replace(/[\r\n\uFEFF]/g, ''),
    );

  it('comes back byte for byte, whatever is in it, and names the registry meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (before) => {
        const file = given('npm', before);
        await file.use();
        expect(registryIn.npm(file.text() as string)).toBe(URL);
        await file.unuse();
        expect(file.text()).toBe(before);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the file', () => {
  it("keeps its rights, and a new one is its owner's alone", async () => {
    const file = given('npm', 'a=b\n');
    chmodSync(file.path, 0o640);
    await file.use();
    expect(statSync(file.path).mode & 0o777).toBe(0o640);
    const fresh = given('npm');
    await fresh.use();
    expect(statSync(fresh.path).mode & 0o777).toBe(0o600);
  });

  it('stays a link where it was one', async () => {
    const file = given('npm');
    const target = join(directory(), 'dotfiles');
    writeFileSync(target, 'a=b\n');
    symlinkSync(target, file.path);
    await file.use();
    expect(lstatSync(file.path).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, 'utf8')).toContain(URL);
    await file.unuse();
    expect(readFileSync(target, 'utf8')).toBe('a=b\n');
  });

  it("is the user's own with --global", () => {
    const env = { HOME: '/home/u', XDG_CONFIG_HOME: '/home/u/.config' };
    const paths = (more: object = {}) =>
      configFiles(CLIENTS, { cwd: '/p', global: true, env: { ...env, ...more } }).map(({ clients, path }) => [
        clients,
        path,
      ]);
    expect(paths()).toEqual([
      [['npm', 'pnpm'], '/home/u/.npmrc'],
      [['yarn1'], '/home/u/.yarnrc'],
      [['yarn4'], '/home/u/.yarnrc.yml'],
      [['bun'], '/home/u/.config/.bunfig.toml'],
    ]);
    expect(paths({ npm_config_userconfig: '/elsewhere/npmrc' })[0]).toEqual([['npm', 'pnpm'], '/elsewhere/npmrc']);
  });
});

describe('the clients of a project', () => {
  it.each<[string, Record<string, string>, Client[]]>([
    ['npm where nothing tells', {}, ['npm']],
    ['npm', { 'package-lock.json': '{}' }, ['npm']],
    ['pnpm', { 'pnpm-lock.yaml': '' }, ['pnpm']],
    ['yarn 1', { 'yarn.lock': '# yarn lockfile v1\n' }, ['yarn1']],
    ['yarn 4 by its lockfile', { 'yarn.lock': '__metadata:\n  version: 8\n' }, ['yarn4']],
    ['yarn 4 by its settings', { 'yarn.lock': '', '.yarnrc.yml': '' }, ['yarn4']],
    ['bun', { 'bun.lock': '' }, ['bun']],
    ['several', { 'package-lock.json': '{}', 'bun.lockb': '' }, ['npm', 'bun']],
  ])('are %s', (_, files, clients) => {
    const cwd = directory();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
    expect(clientsOf(cwd)).toEqual(clients);
  });
});
