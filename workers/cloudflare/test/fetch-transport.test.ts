import { closeBody } from '@_all_docs/http';
import { createFetchStreaming, createFetchTransport } from '@_all_docs/worker-cloudflare';
import { describe, expect, inject, it } from 'vitest';
import { codeOf, collect, joined, noise, utf8 } from '../../../test/contract/_bytes.ts';

const url = 'https://registry.example.test/@x%2fy';
const userAgent = 'test';
const registry = inject('registry');
/** A registry of one answer, and what it was asked. */
function answering(answer: (request: Request) => Response | Promise<Response>) {
  const asked: Request[] = [];
  const fetch = (async (input: string, init: RequestInit) => {
    const request = new Request(input, init);
    asked.push(request);
    init.signal?.throwIfAborted();
    return answer(request);
  }) as typeof globalThis.fetch;
  return { asked, options: { userAgent, fetch } };
}
const gunzip = async (bytes: Uint8Array) =>
  new Response(
    new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip')),
  ).text();

describe('a transport over fetch', () => {
  it('hands on packed what came packed, and nothing that speaks of the packing', async () => {
    const answer = await createFetchTransport({ userAgent })({ url: `${registry}/packed` });
    expect(answer).toMatchObject({ status: 200, encoding: 'gzip', headers: { etag: '"e"' } });
    expect(await gunzip(answer.body)).toBe('{"name":"x"}'.repeat(10_000));
    expect(answer.body.length).toBeLessThan(2_000);
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  it('asks for the path as it is written, by its own name, and follows nothing', async () => {
    const { asked, options } = answering(() => new Response('x'));
    await createFetchTransport(options)({ url, headers: { accept: 'application/json' } });
    expect(asked[0]).toMatchObject({ url, redirect: 'manual' });
    expect(asked[0]?.headers.get('user-agent')).toBe('test');
    expect(asked[0]?.headers.get('accept')).toBe('application/json');
  });

  it.each(['cut', 'cut-packed', 'reset'])('never takes a body that was cut for a whole one: %s', async (how) => {
    expect(await codeOf(() => createFetchTransport({ userAgent })({ url: `${registry}/${how}` }))).toBe(
      'ERR_FETCH_FAILED',
    );
  });

  it('hands on plain what came plain, whatever the status', async () => {
    const { options } = answering(() => new Response('not here', { status: 404 }));
    const answer = await createFetchTransport(options)({ url });
    expect(answer).toMatchObject({ status: 404, encoding: 'identity', body: utf8('not here') });
  });

  it('gives no body where there is none', async () => {
    for (const path of ['not-modified', 'packed-nothing']) {
      const answer = await createFetchTransport({ userAgent })({ url: `${registry}/${path}` });
      expect(answer).toMatchObject({ encoding: 'identity', body: new Uint8Array(0) });
    }
  });

  it('sends a body', async () => {
    const { options } = answering(async (request) => new Response(`${request.method} ${await request.text()}`));
    const answer = await createFetchTransport(options)({ url, method: 'POST', body: utf8('{}') });
    expect(answer.body).toEqual(utf8('POST {}'));
  });

  it('ends with a code, whatever goes wrong', async () => {
    const cut = () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(utf8('{"na')),
          pull: (controller) => controller.error(new Error('connection lost')),
        }),
      );
    const transport = (answer: () => Response | Promise<Response>, more = {}) =>
      createFetchTransport({ ...answering(answer).options, ...more });
    const never = () => new Promise<Response>(() => {});
    expect(await codeOf(() => transport(cut)({ url }))).toBe('ERR_FETCH_FAILED');
    expect(await codeOf(() => transport(() => Promise.reject(new TypeError('no such host')))({ url }))).toBe(
      'ERR_FETCH_FAILED',
    );
    expect(await codeOf(() => transport(() => new Response('x'.repeat(11)), { maxBytes: 10 })({ url }))).toBe(
      'ERR_TOO_LARGE',
    );
    expect(await codeOf(() => transport(never)({ url, signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
  });

  it('waits for an answer only so long', async () => {
    const fetch = ((_: string, { signal }: RequestInit) =>
      new Promise((_, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason)),
      )) as typeof globalThis.fetch;
    expect(await codeOf(() => createFetchTransport({ userAgent, fetch, timeoutMs: 20 })({ url }))).toBe('ERR_TIMEOUT');
  });
});

describe('a streaming transport over fetch', () => {
  const body = noise(300_000);

  it('hands bytes on while they arrive', async () => {
    const { options } = answering(() => new Response(body));
    const answer = await createFetchStreaming(options)({ url });
    expect(joined(await collect(answer.body))).toEqual(body);
  });

  it('ends the exchange when nobody reads, or who reads leaves', async () => {
    for (const leave of [
      (answer: { body: AsyncIterable<Uint8Array> }) => closeBody(answer),
      async (answer: { body: AsyncIterable<Uint8Array> }) => {
        for await (const _ of answer.body) break;
      },
    ]) {
      let isCancelled = false;
      const { options } = answering(
        () =>
          new Response(
            new ReadableStream({
              pull: (controller) => controller.enqueue(utf8('more')),
              cancel: () => {
                isCancelled = true;
              },
            }),
          ),
      );
      await leave(await createFetchStreaming(options)({ url }));
      expect(isCancelled).toBe(true);
    }
  });

  it('that breaks ends with a code', async () => {
    const { options } = answering(
      () => new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('lost')) })),
    );
    const answer = await createFetchStreaming(options)({ url });
    expect(await codeOf(() => collect(answer.body))).toBe('ERR_FETCH_FAILED');
  });
});
