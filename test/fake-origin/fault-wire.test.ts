import { afterEach, describe, expect, it } from 'vitest';
import { ask, tap } from './client.ts';
import type { FakeOrigin, FaultRule } from './index.ts';
import { startFakeOrigin } from './index.ts';

let fake: FakeOrigin;
afterEach(() => fake.close());

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const lengthIn = (head: string) => Number(/content-length: (\d+)/i.exec(head)?.[1]);
const faulty = { path: '^/(jquery|nobody)$' };

async function start(faults: FaultRule[], more: { latencyMs?: number } = {}): Promise<void> {
  fake = await startFakeOrigin({ packages: 300, seed: 9, faults, ...more });
}

describe('stall', () => {
  it.each(['start', 'headers', 'body', undefined] as const)(
    'at %s is silent for good, until close() lets go',
    async (at) => {
      await start([{ fault: 'stall', ...faulty, ...(at && { at }) }]);
      const honest = JSON.stringify(fake.packument('jquery'));
      const stalled = tap(fake.url, '/jquery');
      await wait(200);
      expect(stalled.hasEnded()).toBe(false);
      if (at === undefined || at === 'start') expect(stalled.head() + stalled.body()).toBe('');
      else
        expect([lengthIn(stalled.head()), stalled.body()]).toEqual([
          honest.length,
          at === 'body' ? honest.slice(0, Math.floor(honest.length / 2)) : '',
        ]);
      expect((await ask(fake.url, '/a')).status).toBe(200);
      expect(fake.stats().faults).toEqual({ stall: 1 });
      expect(fake.requestsServed('jquery')).toBe(0);
      await fake.close();
      await stalled.ended;
    },
  );

  it('is no longer in flight when the client leaves', async () => {
    await start([{ fault: 'stall', ...faulty }]);
    const stalled = tap(fake.url, '/jquery');
    await wait(100);
    stalled.socket.destroy();
    await wait(100);
    fake.resetStats();
    expect(fake.stats().maxInFlight).toBe(0);
  });
});

describe('drip', () => {
  it('gives the whole body, slowly, and counts it as served', async () => {
    await start([{ fault: 'drip', msPerChunk: 20, chunkBytes: 200, ...faulty }]);
    const honest = JSON.stringify(fake.packument('jquery'));
    const began = performance.now();
    const reply = await ask(fake.url, '/jquery');
    expect(performance.now() - began).toBeGreaterThan((honest.length / 200 - 1) * 19);
    expect(reply.text).toBe(honest);
    expect(fake.requestsServed('jquery')).toBe(1);
  });

  it('comes in small chunks by default, and ends with the client', async () => {
    await start([{ fault: 'drip', ...faulty }]);
    const dripping = tap(fake.url, '/jquery');
    await wait(350);
    expect(lengthIn(dripping.head())).toBeGreaterThan(1000);
    expect([128, 192, 256]).toContain(dripping.body().length);
    dripping.socket.destroy();
    await wait(250);
    const { bytes } = fake.stats();
    await wait(250);
    expect(fake.stats().bytes).toBe(bytes);
    expect(fake.requestsServed('jquery')).toBe(0);
  });
});

describe('wrong-length', () => {
  it('too large: the connection ends before the promise is kept', async () => {
    await start([{ fault: 'wrong-length', by: 7, ...faulty }]);
    const tapped = tap(fake.url, '/jquery');
    await tapped.ended;
    expect(tapped.body()).toBe(JSON.stringify(fake.packument('jquery')));
    expect(tapped.head()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(lengthIn(tapped.head())).toBe(tapped.body().length + 7);
    await expect(ask(fake.url, '/jquery')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('too small: the rest of the body lies behind the message, on an open connection', async () => {
    await start([{ fault: 'wrong-length', by: -7, ...faulty }]);
    const honest = JSON.stringify(fake.packument('jquery'));
    const tapped = tap(fake.url, '/jquery');
    await wait(150);
    expect(tapped.hasEnded()).toBe(false);
    expect(tapped.body()).toBe(honest);
    expect(lengthIn(tapped.head())).toBe(honest.length - 7);
    tapped.socket.destroy();
  });

  it('never claims less than nothing, and HEAD has no body', async () => {
    await start([{ fault: 'wrong-length', by: -1e9, ...faulty }]);
    const [get, head] = [tap(fake.url, '/nobody'), tap(fake.url, '/jquery', 'HEAD')];
    await wait(150);
    expect([lengthIn(get.head()), get.body()]).toEqual([0, '{"error":"Not found"}']);
    expect([lengthIn(head.head()), head.body()]).toEqual([0, '']);
  });
});

describe('latencyMs', () => {
  it('comes before every answer but the control ones, faults too', async () => {
    await start(
      [
        { fault: '500', path: '^/jquery$' },
        { fault: 'not-found', path: '^/etag$' },
        { fault: 'reset', path: '^/ETag$' },
        { fault: 'page-cut', path: 'limit=7' },
        { fault: 'unsolicited-304', path: '^/jsonstream$' },
        { fault: 'wrong-length', by: -3, path: '^/JSONStream$' },
      ],
      { latencyMs: 80 },
    );
    const took = async (path: string) => {
      const began = performance.now();
      await ask(fake.url, path).catch(() => undefined);
      return performance.now() - began;
    };
    const paths = [
      '/',
      '/_all_docs',
      '/_changes',
      '/a',
      '/nobody',
      '/a/latest',
      '/-/package/a/dist-tags',
      '/a/-/a-0.0.1.tgz',
      '/-/ping',
      '/%ff',
      '/-/v1/search',
      '/_all_docs?limit=x',
      '/jquery',
      '/etag',
      '/ETag',
      '/_all_docs?limit=7',
      '/jsonstream',
      '/JSONStream',
    ];
    for (const time of await Promise.all(paths.map(took))) expect(time).toBeGreaterThan(78);
    expect(await took('/-/fake/stats')).toBeLessThan(60);
  });
});
