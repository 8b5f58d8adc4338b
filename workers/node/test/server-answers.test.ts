import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { bodyOf, gate, get, registry, start, startWith, Wire } from './_server.js';

const bytes = new TextEncoder().encode('{"name":"a"}');
const hot = (status: number, body: Uint8Array | undefined, ...headers: string[]) => ({
  hot: () => ({ status, headers: ['etag', '"1"', ...headers], body }),
});

describe('answers from memory', () => {
  it('go out as they are, without asking the registry for more', async () => {
    const { url } = await start({
      ...hot(200, bytes, 'content-type', 'application/json', 'content-length', String(bytes.length)),
      handle: () => Promise.reject(new Error('asked')),
    });
    const response = await fetch(`${url}/npm/a`);
    expect(response.status).toBe(200);
    expect(response.headers.get('etag')).toBe('"1"');
    expect(response.headers.get('connection')).toBe('keep-alive');
    expect(await response.json()).toEqual({ name: 'a' });
  });

  it('304 and HEAD have no body, and the connection stays usable', async () => {
    const { port } = await start({
      hot: (method) => ({
        status: method === 'HEAD' ? 200 : 304,
        headers: method === 'HEAD' ? ['content-length', '12'] : [],
        body: undefined,
      }),
    });
    const wire = new Wire(port).send('HEAD /npm/a HTTP/1.1\r\nhost: x\r\n\r\n');
    await wire.until(/content-length: 12.*\r\n\r\n$/is);
    wire.send(get('/npm/a'));
    expect(await wire.until(/304 Not Modified.*\r\n\r\n$/s)).toMatch(/\r\n\r\nHTTP\/1\.1 304 /);
  });

  it('see method, raw target and headers by lower-case name', async () => {
    const seen: unknown[] = [];
    const { port } = await start({
      hot: (method, target, headers) => {
        seen.push([method, target, headers('accept'), headers('x-none')]);
        return { status: 200, headers: ['content-length', '0'], body: undefined };
      },
    });
    await new Wire(port).send(get('/npm/@x%2f../a?b', 'ACCEPT: application/json')).until(/\r\n\r\n/);
    expect(seen).toEqual([['GET', '/npm/@x%2f../a?b', 'application/json', undefined]]);
  });

  it('leave in one piece with their headers', async () => {
    const { port } = await start(hot(200, new Uint8Array(300_000).fill(97), 'content-length', '300000'));
    const wire = new Wire(port).send(get('/npm/a'));
    const first = await new Promise<string>((resolve) => wire.socket.once('data', resolve as (text: unknown) => void));
    expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\na/s);
  });
});

describe('the request that the registry is handed', () => {
  it.each([
    '/npm/a',
    '/npm/@s%2fn',
    '/npm/@s%2Fn/-/n-1.0.0.tgz',
    '/npm/../etc/passwd',
    '/npm/%2e%2e/x',
    '/npm/a%00',
    '/npm/a%zz',
    '//npm//a',
    '/npm/a?x=%22&y',
  ])('has its raw target beside it: %s', async (path) => {
    const seen: (string | undefined)[] = [];
    const { port } = await start({
      handle: async (request, target) => {
        seen.push(target, request.method);
        return new Response(null, { status: 204 });
      },
    });
    await new Wire(port).send(get(path)).until(/204/);
    expect(seen).toEqual([path, 'GET']);
  });

  it('has the headers as they came, the Host header too, whatever it says', async () => {
    const seen: (string | null)[] = [];
    const { port } = await start({
      handle: async ({ headers }) => {
        seen.push(...['host', 'accept', 'if-none-match', 'x-forwarded-host', 'range'].map((name) => headers.get(name)));
        return new Response(null, { status: 204 });
      },
    });
    const text =
      'GET /npm/a HTTP/1.1\r\nHost: e"><a b/c@d\r\nACCEPT: a\r\nif-none-match: "1"\r\nx-forwarded-host: evil\r\n\r\n';
    await new Wire(port).send(text).until(/204/);
    expect(seen).toEqual(['e"><a b/c@d', 'a', '"1"', 'evil', null]);
  });

  it('in absolute form has the path, and its host counts (RFC 9112, section 3.2.2)', async () => {
    const seen: unknown[] = [];
    const { port } = await start({
      handle: async (request, target) => {
        seen.push(target, request.headers.get('host'));
        return new Response(null, { status: 204 });
      },
    });
    await new Wire(port).send('GET http://other.example.test:81/npm/a/../b HTTP/1.1\r\nhost: x\r\n\r\n').until(/204/);
    expect(seen).toEqual(['/npm/a/../b', 'other.example.test:81']);
  });

  it('has a body for audits only, as it was sent', async () => {
    const body = gzipSync('{"a":["1.0.0"]}');
    const { url } = await start({
      handle: async (request) =>
        Response.json([
          request.method,
          (await bodyOf(request)).toString('base64'),
          request.headers.get('content-encoding'),
        ]),
    });
    const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
    const audit = await fetch(`${url}/npm/-/npm/v1/security/advisories/bulk`, { method: 'POST', body, headers });
    expect(await audit.json()).toEqual(['POST', body.toString('base64'), 'gzip']);
    const publish = await fetch(`${url}/npm/a`, { method: 'PUT', body: Buffer.alloc(2_000_000) });
    expect(await publish.json()).toEqual(['PUT', '', null]);
  });
});

describe('a streamed answer', () => {
  const streamed = (
    pull: (controller: ReadableStreamDefaultController<Uint8Array>, n: number) => void | Promise<void>,
    headers: Record<string, string> = {},
  ) => {
    let n = 0;
    return async () =>
      new Response(
        new ReadableStream<Uint8Array>({ pull: (controller) => pull(controller, n++) }, { highWaterMark: 0 }),
        { headers },
      );
  };

  it('arrives whole, with and without a length', async () => {
    const pieces = (controller: ReadableStreamDefaultController<Uint8Array>, n: number) =>
      n === 3 ? controller.close() : controller.enqueue(Buffer.alloc(100_000, n));
    for (const headers of [{}, { 'content-length': '300000' }]) {
      const { url } = await start({ handle: streamed(pieces, headers) });
      const body = Buffer.from(await (await fetch(`${url}/npm/a/-/a-1.0.0.tgz`)).arrayBuffer());
      expect(body.equals(Buffer.concat([0, 1, 2].map((n) => Buffer.alloc(100_000, n))))).toBe(true);
    }
  });

  it('is read no faster than the client takes it', async () => {
    let pulled = 0;
    const { port } = await start({
      handle: streamed((controller) => {
        pulled += 1;
        if (pulled > 10_000) controller.close();
        else controller.enqueue(new Uint8Array(64 * 1024));
      }),
    });
    const wire = new Wire(port);
    wire.socket.pause();
    wire.send(get('/npm/a'));
    let before = -1;
    while (before !== pulled || pulled === 0) {
      before = pulled;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What fits into the buffers of both ends, not the 640 MB of it.
    expect(pulled).toBeLessThan(1_000);
  });

  it.each([
    ['with a length', { 'content-length': '30' }],
    ['without a length', {}],
  ])('that fails on the way is cut, never ended: %s', async (_, headers) => {
    const { port, server } = await start({
      handle: streamed(
        (controller, n) => {
          if (n === 2) throw new Error('integrity');
          controller.enqueue(Buffer.from('0123456789'));
        },
        headers as Record<string, string>,
      ),
    });
    const wire = new Wire(port).send(get('/npm/a'));
    await wire.closed;
    expect(wire.text).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(wire.text.split('0123456789').length - 1).toBeLessThan(3);
    expect(server.snapshot()).toMatchObject({ cut: 1, inFlight: 0 });
  });

  it('that fails after its last byte is not complete for the client', async () => {
    const { url } = await start({
      handle: streamed(
        (controller, n) => {
          if (n === 3) throw new Error('integrity');
          controller.enqueue(Buffer.from('0123456789'));
        },
        { 'content-length': '30' },
      ),
    });
    await expect(fetch(`${url}/npm/a`).then((response) => response.arrayBuffer())).rejects.toThrow();
  });

  it.each([
    ['fewer', '21'],
    ['more', '19'],
  ])('that has %s bytes than its length says is cut', async (_, length) => {
    const { url, server } = await start({
      handle: streamed(
        (controller, n) => (n === 2 ? controller.close() : controller.enqueue(Buffer.from('0123456789'))),
        { 'content-length': length },
      ),
    });
    await expect(fetch(`${url}/npm/a`).then((response) => response.arrayBuffer())).rejects.toThrow();
    expect(server.snapshot()).toMatchObject({ cut: 1 });
  });

  it('is given up when the client goes away, in the body and before it', async () => {
    const cancelled = gate();
    const pulled = gate();
    const { port, server } = await start({
      handle: async () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              controller.enqueue(new Uint8Array(1_000_000));
              pulled.open();
            },
            cancel: () => cancelled.open(),
          }),
        ),
    });
    const wire = new Wire(port).send(get('/npm/a'));
    await pulled.opened;
    wire.socket.resetAndDestroy();
    await cancelled.opened;

    const asked = gate();
    const late = gate();
    const unread = gate();
    const waiting = await start({
      handle: async () => {
        asked.open();
        await late.opened;
        return new Response(new ReadableStream({ cancel: () => unread.open() }, { highWaterMark: 0 }));
      },
    });
    const other = new Wire(waiting.port).send(get('/npm/a'));
    await asked.opened;
    other.socket.resetAndDestroy();
    await vi.waitFor(() => expect(waiting.server.snapshot().connections).toBe(0));
    late.open();
    await unread.opened;
    expect(server.snapshot()).toMatchObject({ aborted: 1, cut: 0 });
  });

  it('to HEAD has the headers only', async () => {
    const { port } = await start({
      handle: streamed((controller) => controller.enqueue(Buffer.from('x')), { 'content-length': '5' }),
    });
    const wire = new Wire(port).send('HEAD /npm/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(await wire.all()).toMatch(/^HTTP\/1\.1 200 OK\r\ncontent-length: 5\r\n.*\r\n\r\n$/s);
  });
});

describe('a registry that fails', () => {
  it('is a 500 in JSON that tells the client nothing of it, and is logged without the query', async () => {
    const logged: unknown[] = [];
    const { url } = await start(
      { handle: () => Promise.reject(new Error('secret place')) },
      { logger: { error: (...all) => logged.push(all) } },
    );
    const response = await fetch(`${url}/npm/a?token=abc`);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ code: 'ERR_INTERNAL', error: 'this server failed; its log says why' });
    expect(logged).toEqual([['a request failed', { path: '/npm/a', error: 'Error: secret place' }]]);
  });
});

describe('pipelined requests', () => {
  it('are answered in their order, whichever is ready first', async () => {
    const slow = gate();
    const { port } = await start({
      hot: (_, target) =>
        target === '/npm/hot' ? { status: 200, headers: ['content-length', '3'], body: Buffer.from('hot') } : undefined,
      handle: async (_, target) => {
        if (target === '/npm/slow') await slow.opened;
        return new Response(`<${target}>`);
      },
    });
    const wire = new Wire(port).send(get('/npm/slow') + get('/npm/hot') + get('/npm/fast', 'connection: close'));
    setTimeout(slow.open, 50);
    expect((await wire.all()).match(/<[^>]*>|hot$|hot(?=HTTP)/g)).toEqual(['</npm/slow>', 'hot', '</npm/fast>']);
  });

  it('of a client that goes away are all given up', async () => {
    let left = 0;
    let asked = 0;
    const both = gate();
    const done = gate();
    const { port, server } = await start({
      handle: async () => {
        if (++asked === 2) both.open();
        return new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
            cancel: () => (++left === 2 ? done.open() : undefined),
          }),
        );
      },
    });
    const wire = new Wire(port).send(get('/npm/a') + get('/npm/b'));
    wire.socket.pause();
    await both.opened;
    wire.socket.resetAndDestroy();
    await done.opened;
    await vi.waitFor(() => expect(server.snapshot()).toMatchObject({ connections: 0, inFlight: 0, aborted: 2 }));
  });
});

describe('before the registry is open', () => {
  it('the server is alive and not ready, and requests wait', async () => {
    const open = gate<ReturnType<typeof registry>>();
    const { url, server } = await startWith({ registry: open.opened });
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'starting' }]);
    const waiting = fetch(`${url}/npm/a`);
    open.open(registry({ handle: async () => new Response('here') }));
    expect(await (await waiting).text()).toBe('here');
    expect(server.state).toBe('ready');
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });
});
