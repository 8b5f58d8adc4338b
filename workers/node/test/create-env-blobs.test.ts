import { closeBody, withStreamingRedirects } from '@_all_docs/http';
import { createEnv, type NodeEnv } from '@_all_docs/worker-node';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';
import { run } from './_spawn.ts';

const open: (Server | NodeEnv)[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) {
    if ('blobs' in each) await each.close();
    else await new Promise((resolve) => each.close(resolve));
  }
});

async function serve(
  handle: (request: IncomingMessage) => [status: number, headers: Record<string, string>, body: string],
) {
  const server = createServer((request, response) => {
    const [status, headers, body] = handle(request);
    response.writeHead(status, headers).end(body);
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('an environment opens no blobs and loads no native code before the first blob', async () => {
  const cache = join(await temporaryDirectory(), 'cache');
  const { stdout, code } = await run('_blob-user.ts', [cache, 'https://registry.example.test']).ended;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ before: [false, false], after: [true, true] });
});

it('blobs lie beside the index of the replica, and outlive the environment', async () => {
  const cache = join(await temporaryDirectory(), 'cache');
  const options = { cache, registry: 'https://registry.example.test', origin: 'https://registry.example.test' };
  const first = await createEnv(options);
  async function* source() {
    yield Buffer.from('content');
  }
  const { hash } = await first.blobs.put(source());
  await first.close();
  const second = await createEnv(options);
  open.push(second);
  expect(Buffer.from((await (await second.blobs.get(hash))?.bytes()) ?? []).toString()).toBe('content');
  expect((await collect(second.blobs.list())).map(String)).toEqual([`${hash}`]);
});

it('a token goes with streams to its own registry, and not where that one redirects to', async () => {
  const seen: [string, string | undefined][] = [];
  const elsewhere = await serve((request) => {
    seen.push(['elsewhere', request.headers.authorization]);
    return [200, {}, 'there'];
  });
  const registry = await serve((request) => {
    seen.push(['registry', request.headers.authorization]);
    return request.url === '/moved.tgz' ? [302, { location: `${elsewhere}/a.tgz` }, ''] : [200, {}, 'here'];
  });
  const home = await temporaryDirectory();
  writeFileSync(join(home, '.npmrc'), `${registry.slice('http:'.length)}/:_authToken=secret\n`);
  const before = process.env['npm_config_userconfig'];
  process.env['npm_config_userconfig'] = join(home, '.npmrc');
  try {
    const env = await createEnv({ cache: join(home, 'cache'), registry, origin: registry });
    open.push(env);
    const send = withStreamingRedirects(env.streaming);
    await collect((await send({ url: `${registry}/a.tgz` })).body);
    await collect((await send({ url: `${registry}/moved.tgz` })).body);
  } finally {
    if (before === undefined) delete process.env['npm_config_userconfig'];
    else process.env['npm_config_userconfig'] = before;
  }
  expect(seen).toEqual([
    ['registry', 'Bearer secret'],
    ['registry', 'Bearer secret'],
    ['elsewhere', undefined],
  ]);
});

it('streams pass through the governor of the other requests, and are asked for again after a 503', async () => {
  let asked = 0;
  const registry = await serve(() => {
    asked += 1;
    return asked === 1 ? [503, {}, 'busy'] : [200, {}, 'content'];
  });
  const cache = join(await temporaryDirectory(), 'cache');
  const env = await createEnv({ cache, registry, origin: registry, concurrency: 1 });
  open.push(env);
  const response = await env.streaming({ url: `${registry}/a.tgz` });
  expect(response.status).toBe(200);
  expect(env.governor.state).toMatchObject({ inFlight: 1, requests: 2, troubles: 1 });
  await closeBody(response);
  expect(env.governor.state.inFlight).toBe(0);
});
