import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ask } from '../fake-origin/client.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type CliOptions, only, type RunningCli, runCli, startCli, tempDir, tempFile, until } from './cli.ts';
import { at, startFake } from './replica.ts';

const CORGI = 'application/vnd.npm.install-v1+json';

interface Served extends RunningCli {
  url: string;
}

/** Starts `serve` on a free port and waits until it listens. */
async function serve(args: string[], options?: CliOptions): Promise<Served> {
  const running = startCli(['serve', '--json', '--listen', '127.0.0.1:0', ...args], options);
  const said = () => /"type":"listening","url":"([^"]+)"/.exec(running.printed().stdout)?.[1];
  await Promise.race([until(() => said() !== undefined, 'it listens'), running.done]);
  const url = said();
  if (url === undefined) throw new Error(`it does not listen: ${running.printed().stderr}`);
  return { ...running, url };
}

const of = (fake: FakeOrigin, cache: string) => ['--registry', fake.url, '--cache', cache];
const status = async ({ url }: Served) => JSON.parse((await ask(url, '/-/status.json')).text);

interface Dist {
  tarball: string;
  integrity: string;
}

/** The first version's tarball of a package, as the origin has it. */
function distOf(fake: FakeOrigin, name: string): Dist & { path: string } {
  const { versions } = fake.packument(name) as { versions: Record<string, { dist: Dist }> };
  const { dist } = Object.values(versions)[0] as { dist: Dist };
  return { ...dist, path: dist.tarball.slice(fake.url.length) };
}

const sha512 = (bytes: Buffer) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

describe('serve', () => {
  it('answers what was bootstrapped without asking the registry, in both forms, and 304 to those who hold it', async () => {
    const fake = await startFake({ packages: 50, seed: 1 });
    const cache = tempDir();
    const names = tempFile('names.txt', 'jquery\n@types/node\n');
    const wanted = [...fake.names()].slice(0, 3);
    writeFileSync(names, `${wanted.join('\n')}\n`);
    expect(await runCli(['bootstrap', '--names', names, ...at(fake, cache)])).toMatchObject({ code: 0 });
    fake.resetStats();
    const served = await serve(of(fake, cache));
    for (const name of wanted) {
      const path = `/npm/${name.replace('/', '%2f')}`;
      const full = await ask(served.url, path, { headers: { 'accept-encoding': 'gzip' } });
      expect([full.status, full.headers['content-encoding']]).toEqual([200, 'gzip']);
      expect(JSON.parse(full.text)['dist-tags']).toEqual(fake.packument(name)?.['dist-tags']);
      const short = await ask(served.url, path, { headers: { accept: CORGI } });
      expect(short.headers['content-type']).toBe(CORGI);
      expect(Object.keys(JSON.parse(short.text)).sort()).toEqual(['dist-tags', 'modified', 'name', 'versions']);
      for (const { headers } of [full, short]) {
        const again = {
          'if-none-match': String(headers.etag),
          accept: String(headers['content-type']),
          'accept-encoding': String(headers['content-encoding'] ?? 'identity'),
        };
        expect(await ask(served.url, path, { headers: again })).toMatchObject({ status: 304, text: '' });
      }
    }
    expect(fake.stats().requests).toBe(0);
    served.kill('SIGTERM');
    expect(await served.done).toMatchObject({ code: 143, signal: null, stderr: '' });
  });

  it('fetches what is missing once, checks it, keeps it, and has it after a restart', async () => {
    const fake = await startFake({ packages: 50, seed: 2 });
    const cache = tempDir();
    const name = [...fake.names()].find((name) => !name.startsWith('@') && name.length > 3) as string;
    const { path, integrity } = distOf(fake, name);
    const first = await serve(of(fake, cache));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(first.url, `/npm/${name}`)));
    expect(answers.every(({ status, text }) => status === 200 && JSON.parse(text).name === name)).toBe(true);
    const [tarball] = await Promise.all(Array.from({ length: 20 }, () => ask(first.url, `/npm${path}`)));
    expect(sha512((tarball as { raw: Buffer }).raw)).toBe(integrity);
    expect(fake.stats().requests).toBe(2);
    first.kill('SIGINT');
    expect(await first.done).toMatchObject({ code: 130, stderr: '' });

    const again = await serve(of(fake, cache));
    expect(sha512((await ask(again.url, `/npm${path}`)).raw)).toBe(integrity);
    // npm asks without the prefix when it swaps a tarball's host.
    expect(sha512((await ask(again.url, path)).raw)).toBe(integrity);
    expect((await ask(again.url, `/npm/${name}`)).status).toBe(200);
    expect(fake.stats().requests).toBe(2);
  });

  it('--offline asks nobody, answers what is held, and lists what is missing', async () => {
    const fake = await startFake({ packages: 50, seed: 3 });
    const cache = tempDir();
    const [held, missing] = [...fake.names()].filter((name) => /^[a-z]{3,}$/.test(name)) as [string, string];
    expect(await runCli(['packument', 'fetch', held, ...at(fake, cache)])).toMatchObject({ code: 0 });
    fake.resetStats();
    const served = await serve([...of(fake, cache), '--offline']);
    expect((await ask(served.url, `/npm/${held}`)).status).toBe(200);
    for (const path of [`/npm/${missing}`, `/npm/${missing}`, `/npm${distOf(fake, held).path}`]) {
      const answer = await ask(served.url, path);
      expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
        504,
        { code: 'ERR_OFFLINE', error: expect.any(String) },
      ]);
    }
    expect(await status(served)).toMatchObject({
      offline: true,
      counters: { missing: [missing], missingTarballs: [expect.stringMatching(/\.tgz$/)] },
    });
    expect(fake.stats().requests).toBe(0);
  });

  it('ends the answers under way when it is told to end, and tells what it does as NDJSON', async () => {
    const fake = await startFake({ packages: 50, seed: 4, latencyMs: 500 });
    const served = await serve(of(fake, tempDir()));
    const [name] = fake.names();
    const slow = ask(served.url, `/npm/${name}`);
    await until(() => fake.stats().maxInFlight > 0, 'it asks');
    served.kill('SIGTERM');
    expect(await slow).toMatchObject({ status: 200, headers: { connection: 'close' } });
    const run = await served.done;
    expect(run).toMatchObject({ code: 143, stderr: '' });
    expect(only(run, 'listening').url).toBe(served.url);
    expect(only(run, 'done')).toMatchObject({ exitCode: 143, status: 'interrupted' });
  });

  it('takes a Ctrl-C that comes twice at once for one, and ends at once with the next', async () => {
    const fake = await startFake({ packages: 50, seed: 12, latencyMs: 1_000 });
    const [name] = fake.names();
    const served = await serve(of(fake, tempDir()));
    const slow = ask(served.url, `/npm/${name}`);
    await until(() => fake.stats().maxInFlight > 0, 'it asks');
    served.kill('SIGINT');
    served.kill('SIGINT');
    expect((await slow).status).toBe(200);
    expect((await served.done).code).toBe(130);

    fake.setFaults([{ fault: 'stall' }]);
    const again = await serve(of(fake, tempDir()));
    const never = ask(again.url, `/npm/${name}`).catch(() => 'cut');
    await until(() => fake.stats().requests > 1, 'it asks');
    again.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 500));
    again.kill('SIGINT');
    expect(await again.done).toMatchObject({ code: 130, signal: null });
    expect(await never).toBe('cut');
  });

  it('answers others while a large document is being taken apart', async () => {
    const fake = await startFake({ packages: 50, seed: 11 });
    const [large, small] = [...fake.names()].filter((name) => /^[a-z]{3,}$/.test(name)) as [string, string];
    fake.setFaults([{ fault: 'huge', bytes: 30_000_000, path: `^/${large}$` }]);
    const served = await serve(of(fake, tempDir()));
    const order: string[] = [];
    const asked = async (name: string) => {
      const answer = await ask(served.url, `/npm/${name}`, { headers: { accept: CORGI, 'accept-encoding': 'gzip' } });
      order.push(name);
      return answer;
    };
    expect((await ask(served.url, `/npm/${large}`, { headers: { 'accept-encoding': 'gzip' } })).status).toBe(200);
    const first = asked(large);
    await asked(small);
    const { status, text } = await first;
    expect([status, Object.keys(JSON.parse(text).versions).length > 1_000]).toEqual([200, true]);
    expect(order).toEqual([small, large]);
  });

  it('asks for the token, but for its health, and logs requests without secrets', async () => {
    const fake = await startFake({ packages: 50, seed: 5 });
    const args = ['--auth-token-file', tempFile('token', 's3cret-token\n'), '--log'];
    const served = await serve([...of(fake, tempDir()), ...args]);
    const [name] = fake.names();
    const authorization = 'Bearer s3cret-token';
    expect((await ask(served.url, `/npm/${name}`)).status).toBe(401);
    expect((await ask(served.url, `/npm/${name}?token=in-query`, { headers: { authorization } })).status).toBe(200);
    expect((await ask(served.url, '/readyz')).status).toBe(200);
    served.kill('SIGTERM');
    const { stderr } = await served.done;
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { level: 'info', message: 'request', path: `/npm/${name}`, status: 401 },
      { path: `/npm/${name}`, status: 200, method: 'GET', bytes: expect.any(Number), ms: expect.any(Number) },
      { path: '/readyz', status: 200 },
    ]);
    expect(stderr).not.toMatch(/s3cret|in-query/);
  });

  it.each([
    ['an address that is none', ['--listen', 'here'], 2, 'ERR_BAD_LISTEN'],
    ['a port that is none', ['--listen', ':99999'], 2, 'ERR_BAD_LISTEN'],
    ['a token file that is not there', ['--auth-token-file', '/nowhere/token'], 2, 'ERR_BAD_TOKEN_FILE'],
    ['a public URL that is none', ['--public-url', 'npm.example.test'], 2, 'ERR_BAD_OPTION'],
    ['a registry that is none', ['--registry', 'nowhere'], 2, 'ERR_BAD_ORIGIN'],
    ['a size that is none', ['--max-size', 'much'], 2, 'ERR_USAGE'],
    ['a duration that is none', ['--ttl', '7'], 2, 'ERR_USAGE'],
    ['no workers', ['--workers', '0'], 2, 'ERR_USAGE'],
    ['a bucket without credentials', ['--storage', 's3://bucket'], 1, 'ERR_CACHE_UNWRITABLE'],
    ['a cache that is something else', ['--cache', join(import.meta.dirname)], 1, 'ERR_CACHE_FOREIGN'],
  ])('%s is an error with a code, before anything is served', async (_, args, code, error) => {
    const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    const run = await runCli(['serve', '--cache', tempDir(), ...listen, '--json', ...args]);
    expect(run.code).toBe(code);
    expect(only(run, 'error').code).toBe(error);
    expect(run.events.some(({ type }) => type === 'listening')).toBe(false);
  });

  it('a port that is taken is said, from one process or several', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await until(() => taken.listening, 'the port is taken');
    const { port } = taken.address() as { port: number };
    for (const workers of ['1', '2']) {
      const run = await runCli(['serve', '--cache', tempDir(), '--listen', `127.0.0.1:${port}`, '--workers', workers]);
      expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error ERR_PORT_IN_USE: .*--listen/) });
    }
    taken.close();
  });

  it('does not become its own registry', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await until(() => taken.listening, 'a port is known');
    const { port } = taken.address() as { port: number };
    await new Promise((resolve) => taken.close(resolve));
    for (const workers of ['1', '2']) {
      const args = ['--cache', tempDir(), '--listen', `:${port}`, '--registry', `http://localhost:${port}/npm/`];
      const run = await runCli(['serve', ...args, '--workers', workers]);
      expect(run).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error ERR_OWN_REGISTRY: .*--registry/) });
    }
  });

  it('takes its flags from the environment and the config file, too', async () => {
    const fake = await startFake({ packages: 50, seed: 6 });
    const config = tempFile('config.json', JSON.stringify({ 'public-url': 'https://npm.example.test', offline: true }));
    const running = startCli(['serve', '--json'], {
      env: {
        ALL_DOCS_LISTEN: '127.0.0.1:0',
        ALL_DOCS_CACHE: tempDir(),
        ALL_DOCS_REGISTRY: fake.url,
        ALL_DOCS_CONFIG: config,
      },
    });
    await until(() => running.printed().stdout.includes('listening'), 'it listens');
    running.kill('SIGTERM');
    expect(only(await running.done, 'listening')).toMatchObject({
      publicUrl: 'https://npm.example.test',
      offline: true,
    });
  });

  it('prints the line to try', async () => {
    const running = startCli([
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--cache',
      tempDir(),
      '--registry',
      'https://registry.example.test',
    ]);
    await until(() => running.printed().stdout.includes('unuse'), 'it serves');
    running.kill('SIGTERM');
    const { stdout, code } = await running.done;
    expect(code).toBe(143);
    expect(stdout).toMatch(
      /^serving +http:\/\/127\.0\.0\.1:\d+\/npm\/\n.*npm install --registry http:\/\/127\.0\.0\.1:\d+\/npm\/\n/,
    );
  });
});

describe('serve --workers 2', () => {
  it('serves from two processes on one port and one store, and ends both', async () => {
    const fake = await startFake({ packages: 50, seed: 7 });
    const served = await serve([...of(fake, tempDir()), '--workers', '2']);
    const [name] = fake.names();
    for (let n = 0; n < 8; n++) expect((await ask(served.url, `/npm/${name}`)).status).toBe(200);
    expect(await status(served)).toMatchObject({ workers: 2, restarts: 0, requests: { 'packument 200': 8 } });
    expect((await ask(served.url, '/metrics')).text).toMatch(/^all_docs_workers 2$/m);
    // The second process finds what the first one stored.
    expect(fake.stats().requests).toBe(1);
    const workers = childrenOf(served.child.pid as number);
    expect(workers).toHaveLength(existsSync('/proc/self/task') ? 2 : 0);
    served.kill('SIGTERM');
    expect(await served.done).toMatchObject({ code: 143, signal: null, stderr: '' });
    expect(workers.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  it.skipIf(!existsSync('/proc/self/task'))('starts a worker again that was killed, and counts it', async () => {
    const fake = await startFake({ packages: 50, seed: 8 });
    const served = await serve([...of(fake, tempDir()), '--workers', '2']);
    const [first] = childrenOf(served.child.pid as number) as [number];
    process.kill(first, 'SIGKILL');
    await until(() => served.printed().stderr.includes('started again'), 'the death is noticed');
    await until(
      () => childrenOf(served.child.pid as number).filter((pid) => pid !== first).length === 2,
      'it is replaced',
    );
    await until(async () => (await status(served)).workers === 2, 'it counts');
    expect(await status(served)).toMatchObject({ restarts: 1 });
    const [name] = fake.names();
    for (let n = 0; n < 4; n++) expect((await ask(served.url, `/npm/${name}`)).status).toBe(200);
    served.kill('SIGINT');
    expect((await served.done).code).toBe(130);
  });

  it.skipIf(!existsSync('/proc/self/task'))('leaves no worker behind when it is killed itself', async () => {
    const fake = await startFake({ packages: 50, seed: 9 });
    const served = await serve([...of(fake, tempDir()), '--workers', '2']);
    const workers = childrenOf(served.child.pid as number);
    served.kill('SIGKILL');
    await served.done;
    await until(() => workers.every((pid) => !isAlive(pid)), 'the workers end');
  });
});

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z';
}

describe('use and unuse', () => {
  it('make npm ask the replica, and then no more', async () => {
    const fake = await startFake({ packages: 50, seed: 10 });
    const served = await serve(of(fake, tempDir()));
    const name = [...fake.names()].find((name) => /^[a-z]{3,}$/.test(name)) as string;
    const cwd = tempDir();
    const npmrc = join(cwd, '.npmrc');
    writeFileSync(npmrc, `registry=${fake.url}/elsewhere/\n`);
    expect(await runCli(['use', 'npm', '--url', `${served.url}/npm`], { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/npm .*now installs from .*\n.*unuse npm/),
    });
    expect(JSON.parse(await npm(['view', name, 'name', '--json'], cwd))).toBe(name);
    expect(await status(served)).toMatchObject({ requests: { 'packument 200': 1 } });
    expect(await runCli(['unuse'], { cwd })).toMatchObject({ code: 0, stdout: expect.stringMatching(/as it was/) });
    expect(readFileSync(npmrc, 'utf8')).toBe(`registry=${fake.url}/elsewhere/\n`);
  });

  it('tell what they did as NDJSON', async () => {
    const cwd = tempDir();
    const used = await runCli(['use', 'npm', 'pnpm', 'bun', '--json'], { cwd });
    expect(used.events).toEqual([
      { type: 'client', clients: ['npm', 'pnpm'], path: join(cwd, '.npmrc'), change: 'changed' },
      { type: 'client', clients: ['bun'], path: join(cwd, 'bunfig.toml'), change: 'changed' },
      { type: 'done', exitCode: 0 },
    ]);
    expect((await runCli(['unuse', '--json'], { cwd })).events).toHaveLength(3);
    expect(existsSync(join(cwd, '.npmrc'))).toBe(false);
    expect((await runCli(['unuse'], { cwd })).stdout).toMatch(/nothing to put back/);
  });

  it.each([
    ['a client that is none', ['use', 'cnpm']],
    ['a URL that is none', ['use', 'npm', '--url', '127.0.0.1:8080']],
    ['a URL with a password', ['use', 'npm', '--url', 'http://a:b@127.0.0.1/npm/']],
  ])('%s is a mistake in how they were called', async (_, args) => {
    const cwd = tempDir();
    expect(await runCli(args, { cwd })).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error ERR_USAGE/) });
    expect(existsSync(join(cwd, '.npmrc'))).toBe(false);
  });
});

async function npm(args: string[], cwd: string): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: tempDir(), npm_config_update_notifier: 'false' };
  return text(spawn('npm', args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
}
