import {
  classifyHead,
  closeBody,
  Governor,
  HttpError,
  type StreamingResponse,
  type StreamingTransport,
  type TransportRequest,
  withStreamingRedirects,
  withStreamingRetry,
} from '@_all_docs/http';
import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from './_answers.ts';
import { settle, VirtualClock } from './_virtual-clock.ts';

const URL = 'https://origin.example/a.tgz';
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A body that knows whether it was left or read to its end. */
class Body implements AsyncIterable<Uint8Array> {
  isOver = false;
  readonly #pieces: (string | Error)[];

  constructor(...pieces: (string | Error)[]) {
    this.#pieces = pieces;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        const piece = this.#pieces.shift();
        if (typeof piece === 'string') return { done: false, value: new TextEncoder().encode(piece) };
        this.isOver = true;
        if (piece) throw piece;
        return { done: true, value: undefined };
      },
      return: async () => {
        this.isOver = true;
        return { done: true, value: undefined };
      },
    };
  }
}

const reply = (status = 200, headers: Record<string, string> = {}, ...pieces: (string | Error)[]) => ({
  status,
  headers,
  body: new Body(...pieces),
});

/** A transport that gives each answer once, in order, and the last one from then on. */
function script(
  ...answers: (ReturnType<typeof reply> | Error)[]
): StreamingTransport & { requests: TransportRequest[] } {
  const requests: TransportRequest[] = [];
  const transport: StreamingTransport = async (request) => {
    requests.push(request);
    const next = answers[Math.min(requests.length, answers.length) - 1];
    if (next instanceof Error || !next) throw next;
    return next;
  };
  return Object.assign(transport, { requests });
}

async function read({ body }: StreamingResponse): Promise<string> {
  let whole = '';
  for await (const piece of body) whole += text(piece);
  return whole;
}

function governed(transport: StreamingTransport, concurrency = 1) {
  const clock = new VirtualClock();
  const governor = new Governor({ clock, random: () => 0, concurrency, rate: Number.POSITIVE_INFINITY });
  return { clock, governor, send: governor.wrapStreaming(transport) };
}

describe('a stream under the governor', () => {
  it('keeps its place until it was read to its end', async () => {
    const { governor, send } = governed(async () => reply(200, {}, 'one', 'two'));
    const response = await send({ url: URL });
    let isIn = false;
    const second = send({ url: URL }).then((next) => {
      isIn = true;
      return next;
    });
    await settle();
    expect([governor.state.inFlight, isIn]).toEqual([1, false]);
    expect(await read(response)).toBe('onetwo');
    await settle();
    expect(isIn).toBe(true);
    expect(governor.state).toMatchObject({ requests: 2, bytes: 6, troubles: 0 });
    await closeBody(await second);
    expect(governor.state.inFlight).toBe(0);
  });

  it('gives its place back when it is left, begun or not', async () => {
    const { governor, send } = governed(async () => reply(200, {}, 'one', 'two'), 3);
    await closeBody(await send({ url: URL }));
    expect(governor.state.inFlight).toBe(0);
    for await (const _ of (await send({ url: URL })).body) break;
    expect(governor.state.inFlight).toBe(0);
    const response = await send({ url: URL });
    await closeBody(response);
    await closeBody(response);
    expect(governor.state).toMatchObject({ inFlight: 0, requests: 3, troubles: 0 });
  });

  it('counts a body that breaks as trouble, and what was stopped by us as nothing', async () => {
    const { governor, send } = governed(async () => reply(200, {}, 'one', new HttpError('ERR_FETCH_FAILED', 'cut')), 3);
    expect(await codeOf(send({ url: URL }).then(read))).toBe('ERR_FETCH_FAILED');
    expect(governor.state).toMatchObject({ inFlight: 0, troubles: 1, bytes: 3 });
    const stopped = governed(async () => reply(200, {}, new HttpError('ERR_ABORTED', 'stopped')), 3);
    expect(await codeOf(stopped.send({ url: URL }).then(read))).toBe('ERR_ABORTED');
    expect(stopped.governor.state).toMatchObject({ inFlight: 0, troubles: 0 });
  });

  it('slows everybody down when it is a 429, and opens the breaker with the others', async () => {
    const { governor, send } = governed(async () => reply(429, { 'retry-after': '7' }), 10);
    const startedAt = governor.state.pausedUntil;
    await closeBody(await send({ url: URL }));
    expect(governor.state).toMatchObject({ throttled: 1, limit: 5 });
    expect(governor.state.pausedUntil).toBeGreaterThan(startedAt);
    const broken = governed(() => Promise.reject(new HttpError('ERR_FETCH_FAILED', 'refused')), 10);
    await Promise.all(Array.from({ length: 8 }, (_, i) => codeOf(broken.send({ url: `${URL}?${i}` }))));
    expect(broken.governor.state).toMatchObject({ troubles: 8, inFlight: 0, limit: 1 });
  });

  it('shares its pace with requests that do not stream', async () => {
    const { governor, send } = governed(async () => reply());
    const whole = governor.wrap(async () => ({
      status: 200,
      headers: {},
      body: new Uint8Array(),
      encoding: 'identity',
    }));
    const response = await send({ url: URL });
    let isIn = false;
    const other = whole({ url: URL }).then(() => {
      isIn = true;
    });
    await settle();
    expect(isIn).toBe(false);
    await closeBody(response);
    await other;
    expect(isIn).toBe(true);
  });
});

describe('a stream with retry', () => {
  const retry = (transport: StreamingTransport) => {
    const clock = new VirtualClock();
    return { clock, send: withStreamingRetry(transport, { clock, random: () => 0 }) };
  };

  it('is asked for again while there is no answer, and leaves what is none', async () => {
    const [busy, page, fine] = [
      reply(503),
      reply(200, { 'content-type': 'text/html' }, '<html>'),
      reply(200, {}, 'fine'),
    ];
    const transport = script(new HttpError('ERR_TIMEOUT', 'silence'), busy, page, fine);
    const { clock, send } = retry(transport);
    const answered = send({ url: URL });
    await clock.advance();
    expect(await read(await answered)).toBe('fine');
    expect(transport.requests).toHaveLength(4);
    expect([busy.body.isOver, page.body.isOver]).toEqual([true, true]);
  });

  it('gives up after the last try, with the code of what was wrong', async () => {
    const { clock, send } = retry(script(reply(500)));
    const failed = errorOf(send({ url: URL }));
    await clock.advance();
    expect(await failed).toMatchObject({ code: 'ERR_FETCH_FAILED', status: 500 });
  });

  it('takes a 404 for an answer, and does not mend a body that breaks', async () => {
    const transport = script(reply(404), reply(200, {}, new HttpError('ERR_FETCH_FAILED', 'cut')));
    const { send } = retry(transport);
    expect((await send({ url: URL })).status).toBe(404);
    expect(await codeOf(send({ url: URL }).then(read))).toBe('ERR_FETCH_FAILED');
    expect(transport.requests).toHaveLength(2);
  });
});

describe('a stream with redirects', () => {
  it('leaves the answers that it follows', async () => {
    const [first, second] = [
      reply(302, { location: '/b' }, 'moved'),
      reply(301, { location: 'https://cdn.example/c' }),
    ];
    const transport = script(first, second, reply(200, {}, 'here'));
    const send = withStreamingRedirects(transport);
    const headers = { authorization: 'Bearer secret', accept: '*/*' };
    expect(await read(await send({ url: URL, headers }))).toBe('here');
    expect(transport.requests.map(({ url }) => url)).toEqual([
      URL,
      'https://origin.example/b',
      'https://cdn.example/c',
    ]);
    expect(transport.requests[1]?.headers).toEqual(headers);
    expect(transport.requests[2]?.headers).toEqual({ accept: '*/*' });
    expect([first.body.isOver, second.body.isOver]).toEqual([true, true]);
  });

  it('asks whether it may before every step', async () => {
    const moved = reply(302, { location: 'https://elsewhere.example/b' });
    const transport = script(moved, reply());
    const seen: string[] = [];
    const check = (url: string) => {
      seen.push(url);
      if (url.includes('elsewhere')) throw new HttpError('ERR_BAD_URL', 'not there');
    };
    expect(await codeOf(withStreamingRedirects(transport, { check })({ url: URL }))).toBe('ERR_BAD_URL');
    expect(seen).toEqual([URL, 'https://elsewhere.example/b']);
    expect(transport.requests).toHaveLength(1);
    expect(moved.body.isOver).toBe(true);
  });

  it('refuses what is no place to go to, and leaves that answer too', async () => {
    for (const location of ['http://origin.example/b', 'ftp://origin.example/b', 'https://']) {
      const moved = reply(302, { location });
      expect(await codeOf(withStreamingRedirects(script(moved))({ url: URL }))).toBe('ERR_BAD_URL');
      expect(moved.body.isOver).toBe(true);
    }
    const round = script(reply(302, { location: '/again' }));
    expect(await codeOf(withStreamingRedirects(round, { limit: 2 })({ url: URL }))).toBe('ERR_TOO_MANY_REDIRECTS');
    expect(round.requests).toHaveLength(3);
  });
});

it('the head of an answer says what it means', () => {
  const verdict = (status: number, headers: Record<string, string> = {}) => classifyHead({ status, headers });
  expect([200, 206, 304, 401, 404].map((status) => verdict(status))).toEqual(Array(5).fill('ok'));
  expect([500, 502, 504].map((status) => verdict(status))).toEqual(Array(3).fill('trouble'));
  expect([verdict(429), verdict(503, { 'retry-after': '1' })]).toEqual(['throttled', 'throttled']);
  expect(verdict(200, { 'content-type': 'text/html; charset=utf-8' })).toBe('trouble');
});
