import { createStorageDriver } from '@_all_docs/cache';
import type { Transport, TransportRequest } from '@_all_docs/http';
import {
  type CreateEnvOptions,
  createEnv,
  type NodeEnv,
  NodeStorageDriver,
  SqliteOrderedStore,
} from '@_all_docs/worker-node';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

let home: string;
const before = { ...process.env };
let env: NodeEnv | undefined;
beforeEach(async () => {
  home = await temporaryDirectory();
  for (const name of Object.keys(process.env)) if (/^npm_config_/i.test(name)) delete process.env[name];
  process.env['npm_config_userconfig'] = join(home, '.npmrc');
  process.env['npm_config_globalconfig'] = join(home, 'none');
});
afterEach(async () => {
  await env?.close();
  env = undefined;
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
});

/** An environment whose transport answers from here and remembers what it was asked. */
async function make(
  options: Partial<CreateEnvOptions> = {},
  answer: (request: TransportRequest) => {
    status?: number;
    headers?: Record<string, string>;
    body?: string;
  } = () => ({}),
) {
  const asked: TransportRequest[] = [];
  const transport: Transport = async (request) => {
    asked.push(request);
    const { status = 200, headers = {}, body = '{}' } = answer(request);
    return {
      status,
      headers: { 'content-type': 'application/json', ...headers },
      body: new TextEncoder().encode(body),
      encoding: 'identity',
    };
  };
  env = await createEnv({
    cache: join(home, 'cache'),
    registry: 'https://one.example/',
    origin: 'https://list.example/',
    transport,
    ...options,
  });
  return { env, asked };
}
const secret = (text: string) => writeFile(join(home, '.npmrc'), text);

describe('createEnv', () => {
  it('binds everything to Node.js', async () => {
    const { env: made } = await make();
    expect(made).toMatchObject({
      origin: 'https://list.example',
      registry: 'https://one.example',
      originKnown: true,
      budget: undefined,
    });
    expect(made.storage).toBeInstanceOf(NodeStorageDriver);
    expect(await createStorageDriver(made)).toBe(made.storage);
    expect(await made.ordered?.commit([{ key: 'a', value: '1' }])).toBe(true);
    expect(Math.abs(made.clock.now() - Date.now())).toBeLessThan(1_000);
    expect(made.random()).toBeLessThan(1);
    expect(await readdir(join(home, 'cache'))).toContain('index.sqlite');
  });

  it('without an origin says that none is known', async () => {
    const { env: made } = await make({ origin: undefined });
    expect(made).toMatchObject({ origin: 'https://one.example', originKnown: false });
  });

  it('asks by the given transport', async () => {
    const { env: made, asked } = await make({}, ({ url }) => ({ body: JSON.stringify({ url }) }));
    const response = await made.transport({ url: 'https://one.example/@x%2fy' });
    expect(new TextDecoder().decode(response.body)).toBe('{"url":"https://one.example/@x%2fy"}');
    expect(asked).toHaveLength(1);
  });

  it('takes clock and randomness as they are given', async () => {
    const { env: made } = await make({ clock: { now: () => 42, sleep: async () => {} }, random: () => 0.25 });
    await made.storage.set('key', 1);
    expect((await made.storage.head('key'))?.storedAt).toBe(42);
    expect([made.clock.now(), made.random()]).toEqual([42, 0.25]);
  });

  it('limits the month on the public registry only, unless told', async () => {
    expect((await make()).env.budget).toBeUndefined();
    await env?.close();
    expect((await make({ registry: `https://${['registry', 'npmjs', 'org'].join('.')}` })).env.budget).toBeDefined();
    await env?.close();
    expect((await make({ budget: 5 })).env.budget).toBeDefined();
  });

  it('keeps to the budget', async () => {
    const { env: made, asked } = await make({ budget: 2 });
    await made.transport({ url: 'https://one.example/a' });
    await made.transport({ url: 'https://one.example/b' });
    expect(await codeOf(() => made.transport({ url: 'https://one.example/c' }))).toBe('ERR_BUDGET_EXHAUSTED');
    expect(asked).toHaveLength(2);
  });

  it("shows the cache directory's trouble at once", async () => {
    await mkdir(join(home, 'cache'));
    await writeFile(join(home, 'cache', 'precious'), 'x');
    expect(await codeOf(() => make())).toBe('ERR_CACHE_FOREIGN');
  });

  it.each([
    { registry: 'nothing' },
    { origin: 'nothing' },
    { registry: 'ftp://one.example' },
    { origin: '' },
    { registry: 'npm' },
    { origin: 'npm' },
  ])('refuses %j with ERR_BAD_ORIGIN', async (options) => {
    expect(await codeOf(() => make(options))).toBe('ERR_BAD_ORIGIN');
  });

  it('lets go of everything on close', async () => {
    const { env: made } = await make();
    await made.storage.set('key', 1);
    await made.close();
    const rows = new SqliteOrderedStore(join(home, 'cache', 'index.sqlite'));
    rows.close();
    await made.close();
  });

  it('says who asks', async () => {
    const agents: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      agents.push(request.headers['user-agent']);
      response.setHeader('content-type', 'application/json').end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    env = await createEnv({ cache: join(home, 'cache'), registry, contact: 'me@mail.example (x)\r\nEvil: 1 é' });
    await env.transport({ url: `${registry}/a` });
    expect(agents[0]).toMatch(/^_all_docs\/\d+\.\d+\.\d+ \(\+npm:@_all_docs\/cli; me@mail\.example xEvil: 1 \)$/);
    await env.close();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('credentials', () => {
  const seen = (asked: TransportRequest[]) =>
    asked.map(({ url, headers }) => [new URL(url).host, headers?.['authorization']]);

  it('go to the registry that they are for', async () => {
    await secret('//one.example/:_authToken=secret\n');
    const { env: made, asked } = await make();
    await made.transport({ url: 'https://one.example/a', headers: { accept: 'x' } });
    expect(asked[0]?.headers).toEqual({ accept: 'x', authorization: 'Bearer secret' });
  });

  it('go to no other host, port or scheme', async () => {
    await secret('//one.example/:_authToken=secret\n');
    const { env: made, asked } = await make();
    for (const url of [
      'https://list.example/_all_docs',
      'https://one.example.evil.example/',
      'https://evil.example/one.example',
      'https://one.example:444/',
      'http://one.example/',
      'https://one.example@evil.example/',
      'https://one.example\\@evil.example/',
      'https://evil.example/#https://one.example/',
      'https://sub.one.example/',
    ]) {
      await made.transport({ url }).catch(() => {});
    }
    expect(asked.filter(({ headers }) => headers?.['authorization'] !== undefined)).toEqual([]);
    expect(asked.length).toBeGreaterThan(5);
  });

  it('do not follow a redirect to another host', async () => {
    await secret('//one.example/:_authToken=secret\n');
    const { env: made, asked } = await make({}, ({ url }) =>
      new URL(url).host === 'one.example' ? { status: 302, headers: { location: 'https://files.example/a.tgz' } } : {},
    );
    await made.transport({ url: 'https://one.example/a', headers: { accept: 'x' } });
    expect(seen(asked)).toEqual([
      ['one.example', 'Bearer secret'],
      ['files.example', undefined],
    ]);
  });

  it('do not follow a redirect to the same host without encryption', async () => {
    await secret('//one.example/:_authToken=secret\n');
    const { env: made, asked } = await make({}, ({ url }) =>
      url.startsWith('https:') ? { status: 302, headers: { location: 'http://one.example/a' } } : {},
    );
    await made.transport({ url: 'https://one.example/a' }).catch(() => {});
    expect(asked.filter(({ url, headers }) => url.startsWith('http:') && headers?.['authorization'])).toEqual([]);
  });

  it('of another registry are not used', async () => {
    await secret('//other.example/:_authToken=secret\n_authToken=unscoped\n');
    const { env: made, asked } = await make();
    await made.transport({ url: 'https://one.example/a' });
    expect(seen(asked)).toEqual([['one.example', undefined]]);
  });

  it('of a host spelled in capitals are found', async () => {
    await secret('//one.example/:_authToken=secret\n');
    const { env: made, asked } = await make({ registry: 'https://ONE.example' });
    await made.transport({ url: 'https://one.example/a' });
    expect(seen(asked)).toEqual([['one.example', 'Bearer secret']]);
  });
});
