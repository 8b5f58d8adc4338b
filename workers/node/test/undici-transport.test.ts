import type { TransportRequest, TransportResponse } from '@_all_docs/http';
import { type ClosableTransport, createUndiciTransport } from '@_all_docs/worker-node';
import { hash } from 'node:crypto';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { answer, listen, serve } from './_origins.ts';

let closable: ClosableTransport | undefined;

afterEach(async () => {
  await closable?.close();
  closable = undefined;
});

function send(
  request: TransportRequest,
  options: Partial<Parameters<typeof createUndiciTransport>[0]> = {},
): Promise<TransportResponse> {
  closable ??= createUndiciTransport({ userAgent: 'test/1', ...options });
  return closable.transport(request);
}
const textOf = (response: TransportResponse) => Buffer.from(response.body).toString();

describe('the request', () => {
  it.each([
    '/',
    '/a',
    '/@x%2fy',
    '/@x%2Fy',
    '/@x/y',
    '/@x%2f..',
    '/@x%2f%2e%2e',
    '/a/../b',
    '/./a',
    '/..',
    '//a//b',
    '/a%20b',
    '/%',
    '/a?b=c&d=%22e%22',
    '/a?',
    '/?startkey=%22%F0%9F%98%80%22',
  ])('goes to the path as it is written: %s', async (path) => {
    const url = await serve((request, response) => response.end(request.url));
    expect(textOf(await send({ url: url + path }))).toBe(path);
  });

  it('without a path goes to the root, without its fragment', async () => {
    const url = await serve((request, response) => response.end(request.url));
    expect(textOf(await send({ url }))).toBe('/');
    expect(textOf(await send({ url: `${url}/a#b/c` }))).toBe('/a');
  });

  it('says who asks, and what the caller adds', async () => {
    const url = await serve((request, response) => response.end(JSON.stringify(request.headers)));
    const told = JSON.parse(
      textOf(
        await send({ url, headers: { accept: 'application/json', 'if-none-match': '"x"', 'accept-encoding': 'gzip' } }),
      ),
    );
    expect(told).toMatchObject({
      'user-agent': 'test/1',
      accept: 'application/json',
      'if-none-match': '"x"',
      'accept-encoding': 'gzip',
    });
    const other = JSON.parse(textOf(await send({ url, headers: { 'user-agent': 'caller/2' } })));
    expect(other['user-agent']).toBe('caller/2');
  });

  it('carries method and body', async () => {
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request
        .on('data', (chunk) => chunks.push(chunk))
        .on('end', () => response.end(`${request.method} ${Buffer.concat(chunks)}`));
    });
    expect(textOf(await send({ url, method: 'POST', body: new TextEncoder().encode('{"keys":["é"]}') }))).toBe(
      'POST {"keys":["é"]}',
    );
  });

  it.each([
    '',
    'nothing',
    'ftp://127.0.0.1/',
    'http://',
    'http://127.0.0.1:99999/',
    'file:///etc/passwd',
    'http://127.0.0.1:1/a b',
    'http://127.0.0.1:1/a\r\nx: y',
  ])('to what is no URL is ERR_BAD_URL: %j', async (url) => {
    expect(await codeOf(() => send({ url }))).toBe('ERR_BAD_URL');
  });
});

describe('the answer', () => {
  it('has its gzip handed on byte for byte', async () => {
    const packed = gzipSync(noise(300_000));
    const url = await serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed));
    const response = await send({ url });
    expect(response.encoding).toBe('gzip');
    expect(sameBytes(response.body, packed)).toBe(true);
  });

  it.each([
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['br', 'br'],
    ['deflate', 'deflate'],
    ['zstd', 'zstd'],
    ['identity', 'identity'],
    ['', 'identity'],
  ])('with content-encoding "%s" is %s', async (header, encoding) => {
    const url = await serve((_, response) => response.writeHead(200, { 'content-encoding': header }).end('bytes'));
    expect(await send({ url })).toMatchObject({ status: 200, encoding });
  });

  it.each(['compress', 'gzip, br', 'gzip, gzip'])('with content-encoding "%s" is ERR_ENCODING', async (header) => {
    const url = await serve((_, response) => response.writeHead(200, { 'content-encoding': header }).end('bytes'));
    expect(await codeOf(() => send({ url }))).toBe('ERR_ENCODING');
  });

  it.each([200, 204, 206, 301, 302, 304, 400, 401, 403, 404, 429, 451, 500, 503])(
    'with status %s is data, not an error',
    async (status) => {
      const url = await serve((_, response) =>
        response.writeHead(status, { location: '/x', 'content-encoding': 'gzip' }).end(),
      );
      const response = await send({ url });
      expect(response).toMatchObject({ status, encoding: 'identity', headers: { location: '/x' } });
      expect(response.body).toHaveLength(0);
    },
  );

  it('has its header names in lower case, repeated ones joined', async () => {
    const url = await answer(
      'HTTP/1.1 200 OK\r\nETag: "A"\r\nX-Mixed-CASE: Yes\r\nVary: a\r\nvary: b\r\nSet-Cookie: 1\r\nSet-Cookie: 2\r\nContent-Length: 0\r\n\r\n',
    );
    const { headers } = await send({ url });
    expect(headers).toMatchObject({ etag: '"A"', 'x-mixed-case': 'Yes', vary: 'a, b', 'set-cookie': '1, 2' });
    expect(Object.keys(headers)).toEqual(Object.keys(headers).map((name) => name.toLowerCase()));
  });

  it('to HEAD has headers and no body', async () => {
    const url = await serve((_, response) =>
      response.writeHead(200, { 'content-length': 5, 'content-encoding': 'gzip' }).end(),
    );
    const response = await send({ url, method: 'HEAD' });
    expect(response).toMatchObject({ status: 200, encoding: 'identity', headers: { 'content-length': '5' } });
    expect(response.body).toHaveLength(0);
  });

  it('comes whole in many pieces', async () => {
    const body = noise(3_000_000);
    const url = await serve((_, response) => {
      for (let at = 0; at < body.length; at += 10_007) response.write(body.subarray(at, at + 10_007));
      response.end();
    });
    expect(sameBytes((await send({ url })).body, body)).toBe(true);
  });

  it('is each its own when many are asked for at once', async () => {
    const url = await serve((request, response) => setTimeout(() => response.end(request.url), Math.random() * 20));
    const paths = Array.from({ length: 200 }, (_, i) => `/${i}`);
    const answers = await Promise.all(paths.map((path) => send({ url: url + path })));
    expect(answers.map(textOf)).toEqual(paths);
  });
});

describe('a large answer', () => {
  const large = noise(9_000_000);
  const bodies = async (): Promise<string> => {
    const packed = gzipSync(large, { level: 1 });
    return serve((request, response) => {
      if (request.url === '/gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed);
      else if (request.url === '/strange') response.writeHead(200, { 'content-encoding': 'rot13' }).end(large);
      else if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': 10_000_000 }).write(large, () => request.socket.destroy());
      } else if (request.url === '/unfinished') response.writeHead(200).write(large);
      else response.end(large);
    });
  };

  it('that came plain is handed on as gzip', async () => {
    const response = await send({ url: await bodies() });
    expect(response).toMatchObject({ status: 200, encoding: 'gzip' });
    expect(response.headers).not.toHaveProperty('content-encoding');
    expect(sameBytes(gunzipSync(response.body), large)).toBe(true);
  });

  it('that came as gzip is handed on byte for byte', async () => {
    const url = await bodies();
    const answers = await Promise.all([1, 2, 3].map(() => send({ url: `${url}/gzip` })));
    for (const response of answers) {
      expect(response.encoding).toBe('gzip');
      expect(sameBytes(response.body, gzipSync(large, { level: 1 }))).toBe(true);
    }
  });

  it('is ERR_TOO_LARGE past the limit, whole just below it', async () => {
    const url = await bodies();
    const limit = { maxBytes: large.length - 1 };
    expect(await codeOf(() => send({ url }, limit))).toBe('ERR_TOO_LARGE');
    await closable?.close();
    closable = undefined;
    const response = await send({ url }, { maxBytes: large.length });
    expect(sameBytes(gunzipSync(response.body), large)).toBe(true);
  });

  it('that is cut is ERR_FETCH_FAILED, an unknown coding ERR_ENCODING, an aborted one ERR_ABORTED', async () => {
    const url = await bodies();
    expect(await codeOf(() => send({ url: `${url}/cut` }))).toBe('ERR_FETCH_FAILED');
    expect(await codeOf(() => send({ url: `${url}/strange` }))).toBe('ERR_ENCODING');
    const controller = new AbortController();
    const unfinished = codeOf(() => send({ url: `${url}/unfinished`, signal: controller.signal }));
    setTimeout(() => controller.abort(), 300);
    expect(await unfinished).toBe('ERR_ABORTED');
    expect((await send({ url })).encoding).toBe('gzip');
  });

  it('is held in memory that other parts of Node take as it is', async () => {
    const { body } = await send({ url: `${await bodies()}/gzip` });
    const database = new DatabaseSync(':memory:');
    const row = database.prepare('SELECT length(?) AS bytes').get(body);
    database.close();
    expect(row?.['bytes']).toBe(body.length);
    expect(hash('sha256', body)).toBe(hash('sha256', gzipSync(large, { level: 1 })));
    expect(sameBytes(structuredClone(body), body)).toBe(true);
  });
});

describe('no whole answer', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';

  it.each([
    ['a body shorter than its content-length', `${HEAD}Content-Length: 100\r\n\r\n{"cut":`, undefined],
    [
      'a body shorter than its content-length, reset',
      `${HEAD}Content-Length: 100\r\n\r\n{"cut":`,
      (socket: Socket) => void socket.resetAndDestroy(),
    ],
    ['chunks without their end', `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"cut\r\n`, undefined],
    ['a cut chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nff\r\n{"cut`, undefined],
    ['a wrong chunk length', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{"cut\r\n0\r\n\r\n`, undefined],
    ['cut headers', 'HTTP/1.1 200 OK\r\nContent-Ty', undefined],
    ['nothing', '', undefined],
    ['a reset', 'x', (socket: Socket) => void socket.resetAndDestroy()],
    ['what is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', undefined],
    ['two content-lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, undefined],
  ])('(%s) is ERR_FETCH_FAILED', async (_, text, end) => {
    const url = text === '' ? await listen(createTcpServer((socket) => socket.destroy())) : await answer(text, end);
    expect(await codeOf(() => send({ url }))).toBe('ERR_FETCH_FAILED');
  });

  it('(nobody there) is ERR_FETCH_FAILED', async () => {
    const server = createTcpServer();
    const url = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await codeOf(() => send({ url }))).toBe('ERR_FETCH_FAILED');
  });

  it('(no such host) is ERR_FETCH_FAILED', async () => {
    expect(await codeOf(() => send({ url: 'http://nobody.invalid/' }))).toBe('ERR_FETCH_FAILED');
  });

  it('(silence before the headers) is ERR_TIMEOUT', async () => {
    const url = await listen(createTcpServer(() => {}));
    expect(await codeOf(() => send({ url }, { timeoutMs: 300 }))).toBe('ERR_TIMEOUT');
  });

  it('(silence within the body) is ERR_TIMEOUT', async () => {
    const url = await answer(`${HEAD}Content-Length: 100\r\n\r\n{"slow":`, () => {});
    expect(await codeOf(() => send({ url }, { timeoutMs: 300 }))).toBe('ERR_TIMEOUT');
  });

  it.each([
    ['announced', { 'content-length': '2001' }],
    ['unannounced', {}],
  ])('(too large, %s) is ERR_TOO_LARGE; just large enough is fine', async (_, headers) => {
    const url = await serve((request, response) => {
      const length = Number(request.url?.slice(1));
      response.writeHead(200, 'content-length' in headers ? { 'content-length': length } : {});
      response.end(noise(length));
    });
    expect(await codeOf(() => send({ url: `${url}/2001` }, { maxBytes: 2_000 }))).toBe('ERR_TOO_LARGE');
    expect((await send({ url: `${url}/2000` })).body).toHaveLength(2_000);
  });

  it('(endless) is ERR_TOO_LARGE without waiting for its end', async () => {
    const url = await serve((_, response) => {
      const timer = setInterval(() => response.write(noise(10_000)), 1);
      response.on('close', () => clearInterval(timer));
    });
    expect(await codeOf(() => send({ url }, { maxBytes: 100_000 }))).toBe('ERR_TOO_LARGE');
  });

  it('leaves the transport fit for the next request', async () => {
    let count = 0;
    const url = await serve((request, response) => {
      count += 1;
      if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': 100 }).write('x');
        setTimeout(() => request.socket.destroy(), 5);
      } else response.end('fine');
    });
    for (let i = 0; i < 5; i++) {
      expect(await codeOf(() => send({ url: `${url}/cut` }))).toBe('ERR_FETCH_FAILED');
      expect(textOf(await send({ url }))).toBe('fine');
    }
    expect(count).toBe(10);
  });
});

describe('abort', () => {
  const stopped = async (url: string, stop: (controller: AbortController) => void) => {
    const controller = new AbortController();
    const answer = send({ url, signal: controller.signal });
    stop(controller);
    return codeOf(() => answer);
  };

  it('before the request is ERR_ABORTED, and nothing is sent', async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked += 1;
      response.end();
    });
    expect(await codeOf(() => send({ url, signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
    expect(asked).toBe(0);
  });

  it('at once is ERR_ABORTED', async () => {
    const url = await serve((_, response) => void setTimeout(() => response.end(), 50));
    expect(await stopped(url, (controller) => controller.abort())).toBe('ERR_ABORTED');
  });

  it('before the headers is ERR_ABORTED', async () => {
    const url = await listen(createTcpServer(() => {}));
    expect(await stopped(url, (controller) => void setTimeout(() => controller.abort(), 50))).toBe('ERR_ABORTED');
  });

  it('within the body is ERR_ABORTED', async () => {
    const url = await serve((_, response) => void response.writeHead(200, { 'content-length': 100 }).write('x'));
    expect(await stopped(url, (controller) => void setTimeout(() => controller.abort(new Error('why')), 50))).toBe(
      'ERR_ABORTED',
    );
  });

  it('while waiting for a connection is ERR_ABORTED', async () => {
    const url = await serve((request, response) => void setTimeout(() => response.end(request.url), 300));
    const first = send({ url: `${url}/first` }, { connections: 1 });
    expect(await stopped(`${url}/second`, (controller) => void setTimeout(() => controller.abort(), 50))).toBe(
      'ERR_ABORTED',
    );
    expect(textOf(await first)).toBe('/first');
  });

  it('after the answer does nothing, and no listener stays behind', async () => {
    const url = await serve((_, response) => response.end('fine'));
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    }) as typeof signal.addEventListener;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    }) as typeof signal.removeEventListener;
    for (let i = 0; i < 3; i++) expect(textOf(await send({ url, signal }))).toBe('fine');
    expect(listeners).toBe(0);
    controller.abort();
  });
});

it('close ends what is under way', async () => {
  const url = await listen(createTcpServer(() => {}));
  const answer = codeOf(() => send({ url }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await closable?.close();
  expect(await answer).toBe('ERR_FETCH_FAILED');
  expect(await codeOf(() => send({ url }))).toBe('ERR_FETCH_FAILED');
});
