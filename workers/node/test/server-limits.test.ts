import type { AnswerRequest } from '@_all_docs/registry';
import { describe, expect, it } from 'vitest';
import { bodyOf, gate, get, parse, start, Wire } from './_server.js';

const BULK = '/npm/-/npm/v1/security/advisories/bulk';
const never = { handle: () => Promise.reject(new Error('asked')), hot: () => undefined };
/** Answers with the length of the body. */
const length = { handle: async (request: AnswerRequest) => new Response(`<${(await bodyOf(request)).length}>`) };

describe('what is no request', () => {
  it.each([
    ['noise', 'hello\r\n\r\n'],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['another protocol', 'GET / SIP/2.0\r\nhost: x\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a space in the target', 'GET /npm/a b HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a header without a name', 'GET / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n'],
    ['a space before the colon of a header', 'GET / HTTP/1.1\r\nhost: x\r\nx : y\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nhost: x\r\nx: y\r\n z: w\r\n\r\n'],
    ['a null byte in a header', 'GET / HTTP/1.1\r\nhost: x\r\nx: y\0z\r\n\r\n'],
    ['a bare line feed in a header', 'GET / HTTP/1.1\r\nhost: x\r\nx: y\nz\r\n\r\n'],
    [
      'both a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['a length that is no number', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\na'],
    [
      'chunks that are not the last coding',
      'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    ],
    ['chunks spelt with a tab', 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n'],
  ])('is answered by 400 in JSON, and the connection ends: %s', async (_, text) => {
    const { port, server } = await start(never);
    const { status, head, body } = parse(await new Wire(port).send(text).all());
    expect(status).toBe(400);
    expect(head).toMatch(/connection: close/);
    expect(body).toMatchObject({ code: 'ERR_BAD_REQUEST', error: expect.stringMatching(/^not a request/) });
    expect(server.snapshot().requests).toEqual({ 'malformed 400': 1 });
  });

  it('is never answered in the middle of another answer', async () => {
    const asked = gate();
    const more = gate();
    const { port } = await start({
      handle: async () => {
        asked.open();
        await more.opened;
        return new Response('never');
      },
    });
    const wire = new Wire(port).send(`${get('/npm/a')}no request\r\n\r\n`);
    await asked.opened;
    expect(await wire.all()).toBe('');
    more.open();
  });

  it('after a whole request comes after its whole answer', async () => {
    const { port } = await start({
      hot: () => ({ status: 200, headers: ['content-length', '4'], body: Buffer.from('here') }),
    });
    const text = await new Wire(port).send(`${get('/npm/a')}no request\r\n\r\n`).all();
    expect(text).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\nhereHTTP\/1\.1 400 /s);
  });
});

describe('a request that may not be', () => {
  it.each([
    ['without a Host header', 'GET /npm/a HTTP/1.1\r\n\r\n', 400, 'ERR_BAD_HOST'],
    ['with two Host headers', 'GET /npm/a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n', 400, 'ERR_BAD_HOST'],
    ['of the asterisk form', 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'ERR_BAD_REQUEST'],
    ['by TRACE', 'TRACE /npm/a HTTP/1.1\r\nhost: x\r\n\r\n', 405, 'ERR_METHOD_NOT_ALLOWED'],
    ['by CONNECT', 'CONNECT registry.example.test:443 HTTP/1.1\r\nhost: x\r\n\r\n', 405, 'ERR_METHOD_NOT_ALLOWED'],
    ['with another expectation', 'GET /npm/a HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n', 417, 'ERR_EXPECTATION'],
    [
      'by POST to what is only read',
      'POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab',
      405,
      'ERR_METHOD_NOT_ALLOWED',
    ],
  ])('is refused in JSON: %s', async (_, text, status, code) => {
    const { port } = await start(never);
    const wire = new Wire(port).send(text);
    expect(parse(await wire.until(/\r\n\r\n\{.*\}/s))).toMatchObject({ status, body: { code } });
  });

  it('HTTP/1.0 needs no Host, and gets its answer', async () => {
    const { port } = await start({ handle: async () => new Response('here') });
    expect(await new Wire(port).send('GET /npm/a HTTP/1.0\r\n\r\n').all()).toMatch(/^HTTP\/1\.1 200 .*here$/s);
  });
});

describe('sizes', () => {
  it('headers beyond the limit are 431', async () => {
    const { port } = await start(never, { limits: { headerBytes: 2_000 } });
    const wire = new Wire(port).send(get('/npm/a', `x: ${'y'.repeat(3_000)}`));
    expect(parse(await wire.all())).toMatchObject({ status: 431, body: { code: 'ERR_HEADERS_TOO_LARGE' } });
  });

  it('a URL beyond the limit is 414, one at the limit is not', async () => {
    const { port } = await start(
      { handle: async () => new Response(null, { status: 204 }) },
      { limits: { targetLength: 100 } },
    );
    const wire = new Wire(port).send(get(`/${'a'.repeat(99)}`));
    await wire.until(/ 204 /);
    expect(parse(await new Wire(port).send(get(`/${'a'.repeat(100)}`)).until(/\}/))).toMatchObject({
      status: 414,
      body: { code: 'ERR_TARGET_TOO_LONG' },
    });
  });

  it('a body beyond the limit is 413, with its length told or in chunks; one at the limit passes', async () => {
    const { port } = await start(length, { limits: { bodyBytes: 10 } });
    const post = (headers: string, body: string) => `POST ${BULK} HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n${body}`;
    await new Wire(port).send(post('content-length: 10', '0123456789')).until(/<10>/);
    await new Wire(port).send(post('transfer-encoding: chunked', 'a\r\n0123456789\r\n0\r\n\r\n')).until(/<10>/);
    for (const text of [post('content-length: 11', ''), post('transfer-encoding: chunked', 'b\r\n0123456789a\r\n')]) {
      const { status, body } = parse(await new Wire(port).send(text).until(/\}/));
      expect([status, body]).toMatchObject([413, { code: 'ERR_TOO_LARGE' }]);
    }
  });

  it('expect: 100-continue is granted to audits that fit, and to nothing else', async () => {
    const { port } = await start(length, { limits: { bodyBytes: 10 } });
    const post = (path: string, bytes: number) =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: ${bytes}\r\n\r\n`;
    const granted = new Wire(port).send(post(BULK, 3));
    await granted.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    expect(await granted.send('abc').until(/<3>/)).toMatch(/200 OK/);
    const large = await new Wire(port).send(post(BULK, 11)).all();
    expect(large).toMatch(/^HTTP\/1\.1 413 /);
    const elsewhere = await new Wire(port).send(post('/npm/a', 3)).all();
    expect(elsewhere).toMatch(/^HTTP\/1\.1 200 .*<0>/s);
  });

  it('a body that nobody asked for does not reach the next request (smuggling)', async () => {
    const seen: string[] = [];
    const { port } = await start({
      handle: async (request, target) => {
        seen.push(`${request.method} ${target}`);
        return new Response('<>');
      },
    });
    const inner = get('/npm/smuggled');
    const wire = new Wire(port).send(
      `PUT /npm/a HTTP/1.1\r\nhost: x\r\ncontent-length: ${inner.length}\r\n\r\n${inner}${get('/npm/b', 'connection: close')}`,
    );
    await wire.all();
    expect(seen).toEqual(['PUT /npm/a', 'GET /npm/b']);
  });
});

describe('time', () => {
  it('headers that do not come in time are 408, and the connection ends', async () => {
    const { port } = await start(never, { limits: { headersMs: 100, requestMs: 200 } });
    const wire = new Wire(port).send('GET /npm/a HTTP/1.1\r\nhost: x\r\nx: ');
    expect(parse(await wire.all())).toMatchObject({ status: 408, body: { code: 'ERR_TIMEOUT' } });
  });

  it('a body that does not come in time ends the connection', async () => {
    const { port } = await start(length, { limits: { headersMs: 100, requestMs: 200 } });
    const wire = new Wire(port).send(`POST ${BULK} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab`);
    await wire.closed;
    expect(wire.text).not.toMatch(/200 OK/);
  });

  it('a client that does not read for long is let go', async () => {
    const cancelled = gate();
    const { port } = await start(
      {
        handle: async () =>
          new Response(
            new ReadableStream({
              pull: (controller) => controller.enqueue(new Uint8Array(1_000_000)),
              cancel: () => cancelled.open(),
            }),
          ),
      },
      { limits: { stallMs: 200 } },
    );
    const wire = new Wire(port);
    wire.socket.pause();
    wire.send(get('/npm/a'));
    await cancelled.opened;
  });

  it('an idle connection is closed after its time', async () => {
    const { port } = await start({ handle: async () => new Response('here') }, { limits: { keepAliveMs: 50 } });
    const wire = new Wire(port).send(get('/npm/a'));
    await wire.until(/here/);
    expect(await wire.closed).toBe('end');
  });
});

describe('connections', () => {
  it('beyond the most are closed and counted', async () => {
    const { port, server } = await start({ handle: async () => new Response('here') }, { limits: { connections: 1 } });
    const first = new Wire(port).send(get('/npm/a'));
    await first.until(/here/);
    expect(await new Wire(port).send(get('/npm/a')).all()).toBe('');
    expect(server.snapshot()).toMatchObject({ connections: 1, dropped: 1 });
  });

  it('are kept for further requests', async () => {
    const { port, server } = await start({
      handle: async () => new Response('here', { headers: { 'content-length': '4' } }),
    });
    const wire = new Wire(port);
    for (let n = 1; n <= 3; n++) await wire.send(get('/npm/a')).untilTimes('here', n);
    expect(server.snapshot()).toMatchObject({ connections: 1, requests: { 'packument 200': 3 } });
  });
});
