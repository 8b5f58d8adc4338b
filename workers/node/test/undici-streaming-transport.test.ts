import { closeBody, type StreamingResponse, type TransportRequest } from '@_all_docs/http';
import { type ClosableStreamingTransport, createUndiciStreamingTransport } from '@_all_docs/worker-node';
import { createServer as createTcpServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf, collect, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { answer, listen, open, serve, sockets } from './_origins.ts';

let closable: ClosableStreamingTransport | undefined;

afterEach(async () => {
  await closable?.close();
  closable = undefined;
});

function send(
  request: TransportRequest,
  options: Partial<Parameters<typeof createUndiciStreamingTransport>[0]> = {},
): Promise<StreamingResponse> {
  closable ??= createUndiciStreamingTransport({ userAgent: 'test/1', ...options });
  return closable.transport(request);
}
async function wholeOf({ body }: StreamingResponse): Promise<Buffer> {
  return Buffer.concat(await collect(body));
}
const textOf = async (response: StreamingResponse) => (await wholeOf(response)).toString();
const read = async (url: string, options = {}) => wholeOf(await send({ url }, options));
const HEAD = 'HTTP/1.1 200 OK\r\n';

describe('the request', () => {
  it.each(['/', '/a', '/@x%2f..', '/a/../b', '//a//b', '/a?b=c&d=%22e%22'])(
    'goes to the path as it is written: %s',
    async (path) => {
      const url = await serve((request, response) => response.end(request.url));
      expect(await textOf(await send({ url: url + path }))).toBe(path);
    },
  );

  it('says who asks, and what the caller adds', async () => {
    const url = await serve((request, response) => response.end(JSON.stringify(request.headers)));
    const told = JSON.parse(await textOf(await send({ url, headers: { 'accept-encoding': 'identity' } })));
    expect(told).toMatchObject({ 'user-agent': 'test/1', 'accept-encoding': 'identity' });
  });

  it.each(['http://127.0.0.1:1/a b', 'http://127.0.0.1:1/a\r\nx: y', 'nonsense'])(
    'to what is no URL is ERR_BAD_URL: %j',
    async (url) => {
      expect(await codeOf(() => send({ url }))).toBe('ERR_BAD_URL');
    },
  );

  it('that nobody answers is ERR_FETCH_FAILED', async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => open.pop()?.close(resolve));
    expect(await codeOf(() => send({ url }))).toBe('ERR_FETCH_FAILED');
  });
});

describe('the answer', () => {
  it('is there before its body', async () => {
    let finish = () => {};
    const url = await serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'X-A': ['1', '2'] });
      response.write('first ');
      finish = () => void response.end('last');
    });
    const response = await send({ url });
    expect(response).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/octet-stream', 'x-a': '1, 2' },
    });
    finish();
    expect(await textOf(response)).toBe('first last');
  });

  it.each([200, 301, 404, 500])('may have any status: %i', async (status) => {
    const url = await serve((_, response) => response.writeHead(status, { location: '/b' }).end('x'));
    const response = await send({ url });
    expect(response.status).toBe(status);
    expect(await textOf(response)).toBe('x');
  });

  it('is not taken for what comes before it', async () => {
    const url = await answer(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${HEAD}content-length: 2\r\n\r\nok`);
    const response = await send({ url });
    expect([response.status, await textOf(response)]).toEqual([200, 'ok']);
  });

  it('without a body has none', async () => {
    const url = await serve((_, response) => response.writeHead(304).end());
    expect(await textOf(await send({ url }))).toBe('');
    const head = await serve((_, response) => response.writeHead(200, { 'content-length': '99' }).end());
    expect(await textOf(await send({ url: head, method: 'HEAD' }))).toBe('');
  });
});

describe('the body', () => {
  it('is what came, whatever the header says of its coding', async () => {
    const packed = gzipSync('text');
    const url = await serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed));
    expect(sameBytes(await read(url), packed)).toBe(true);
  });

  it('of 20 MB arrives whole at a reader who takes his time, and never fills the memory', async () => {
    const bytes = noise(20_000_000);
    let sent = 0;
    const url = await serve(async (_, response) => {
      for (let at = 0; at < bytes.length; at += 100_000) {
        sent = at;
        if (!response.write(bytes.subarray(at, at + 100_000)))
          await new Promise((resolve) => response.once('drain', resolve));
      }
      response.end();
    });
    const response = await send({ url });
    for (let before = -1; sent !== before; ) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What the sockets hold, and a little more.
    expect(sent).toBeLessThan(15_000_000);
    expect(sameBytes(await wholeOf(response), bytes)).toBe(true);
  });

  it.each([
    ['cut before its announced end', `${HEAD}content-length: 10\r\n\r\nhalf`],
    ['cut between its chunks', `${HEAD}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`],
  ])('that is %s is ERR_FETCH_FAILED, after what came', async (_, text) => {
    const response = await send({ url: await answer(text) });
    const pieces: string[] = [];
    const reading = async () => {
      for await (const piece of response.body) pieces.push(Buffer.from(piece).toString());
    };
    expect(await codeOf(reading)).toBe('ERR_FETCH_FAILED');
    expect(pieces.join('')).toBe('half');
    expect(await codeOf(() => wholeOf(response))).toBe('ERR_FETCH_FAILED');
  });

  it('that falls silent is ERR_TIMEOUT; a reader who pauses is not', async () => {
    const url = await answer(`${HEAD}content-length: 10\r\n\r\nhalf`, () => {});
    expect(await codeOf(() => read(url, { timeoutMs: 300 }))).toBe('ERR_TIMEOUT');
    const headers = await listen(createTcpServer(() => {}));
    expect(await codeOf(() => send({ url: headers }))).toBe('ERR_TIMEOUT');
    const bytes = noise(3_000_000);
    const paused = await send({ url: await serve((_, response) => response.end(bytes)) });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(sameBytes(await wholeOf(paused), bytes)).toBe(true);
  });

  it('beyond the limit is ERR_TOO_LARGE', async () => {
    const url = await serve((_, response) => response.end(noise(100_001)));
    expect(await codeOf(() => read(url, { maxBytes: 100_000 }))).toBe('ERR_TOO_LARGE');
    const fits = await serve((_, response) => response.end(noise(100_000)));
    expect((await read(fits)).length).toBe(100_000);
  });

  it('is closed by whoever leaves it, before or after its beginning', async () => {
    let closed = 0;
    const url = await serve((_, response) => {
      response.on('close', () => {
        closed += 1;
      });
      response.writeHead(200, { 'content-length': '100000000' });
      response.write(noise(1_000));
    });
    await closeBody(await send({ url }));
    for await (const _ of (await send({ url })).body) break;
    while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(closed).toBe(2);
  });

  it('whose rest is small does not cost the connection when it is left', async () => {
    const url = await serve((_, response) => response.writeHead(404).end('{"error":"Not found"}'));
    for (let i = 0; i < 5; i++) {
      await closeBody(await send({ url, headers: {} }));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(sockets.size).toBe(1);
  });

  it('ends with ERR_ABORTED when the caller stops, at any time', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('some');
    });
    expect(await codeOf(() => send({ url, signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
    const silent = await listen(createTcpServer(() => {}));
    const before = new AbortController();
    const asked = codeOf(() => send({ url: silent, signal: before.signal }));
    setTimeout(() => before.abort(), 50);
    expect(await asked).toBe('ERR_ABORTED');
    const within = new AbortController();
    const response = await send({ url, signal: within.signal });
    const reading = codeOf(() => wholeOf(response));
    setTimeout(() => within.abort(), 50);
    expect(await reading).toBe('ERR_ABORTED');
  });
});

it('connections are kept alive from one body to the next, and let go of at the end', async () => {
  const url = await serve((_, response) => response.end(noise(50_000)));
  for (let i = 0; i < 10; i++) expect((await read(url)).length).toBe(50_000);
  // A second one is opened when a request comes while the last body is just ending.
  expect(sockets.size).toBeLessThanOrEqual(2);
  await closable?.close();
  for (const socket of sockets) while (!socket.destroyed) await new Promise((resolve) => setTimeout(resolve, 10));
});
