import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { createGunzip } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin, FaultRule } from './index.ts';
import { startFakeOrigin } from './index.ts';

const CORGI = { accept: 'application/vnd.npm.install-v1+json' };
const GZIP = { 'accept-encoding': 'gzip' };
interface Packument {
  name: string;
  versions: Record<string, { name: string; version: string }>;
  'dist-tags': { latest: string };
  time: Record<string, string>;
}

let fake: FakeOrigin;
afterEach(() => fake.close());

async function start(...faults: FaultRule[]): Promise<void> {
  fake = await startFakeOrigin({ packages: 300, seed: 9, faults });
}

const get = (path: string, headers: Record<string, string> = {}) => ask(fake.url, path, { headers });

/** The response with its body unread. */
async function open(path: string): Promise<IncomingMessage> {
  const req = request(fake.url + path, { agent: false, headers: GZIP }).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return res;
}

async function inflatedSize(path: string): Promise<{ packed: number; size: number; start: string; end: string }> {
  const res = await open(path);
  let [packed, size, start, end] = [0, 0, '', ''];
  res.on('data', (chunk: Buffer) => (packed += chunk.length));
  for await (const chunk of res.pipe(createGunzip()) as AsyncIterable<Buffer>) {
    if (size === 0) start = chunk.toString('latin1', 0, 30);
    size += chunk.length;
    end = chunk.toString('latin1', chunk.length - 4);
  }
  return { packed, size, start, end };
}

describe('gzip-bomb', () => {
  it('is 400 MB in 0.4 MB, made once', async () => {
    await start({ fault: 'gzip-bomb', kinds: ['packument'] });
    const { packed, size, start: text, end } = await inflatedSize('/jquery');
    expect(size).toBe(400_000_000);
    expect(packed).toBeLessThan(420_000);
    expect([text, end]).toEqual(['{"name":"bomb","list":[0,0,0,0', ',0]}']);
    const began = performance.now();
    (await open('/a')).resume();
    expect(performance.now() - began).toBeLessThan(300);
    expect((await get('/')).status).toBe(200);
  });

  it.each([10_000, 10_001, 3_000_000])('is %i bytes of valid JSON, asked for gzip or not', async (bytes) => {
    await start({ fault: 'gzip-bomb', bytes });
    const { headers, text } = await get('/jquery');
    expect(headers['content-encoding']).toBe('gzip');
    expect(text.length).toBe(bytes);
    expect(JSON.parse(text)).toMatchObject({ name: 'bomb', list: expect.any(Array) });
  });
});

describe('huge', () => {
  it('is 100 MB of the right package', async () => {
    await start({ fault: 'huge' });
    const { raw, text, headers } = await get('/jquery');
    expect([raw.length, headers['content-length']]).toEqual([100_000_000, '100000000']);
    const { name, versions, 'dist-tags': tags, time } = JSON.parse(text) as Packument;
    expect(name).toBe('jquery');
    expect(Object.keys(versions).length).toBeGreaterThan(30_000);
    expect(Object.keys(time)).toEqual(expect.arrayContaining(['created', 'modified', tags.latest]));
    expect(Object.keys(time).length).toBe(Object.keys(versions).length + 2);
    expect(versions).toMatchObject(fake.packument('jquery')?.versions as object);
    expect(fake.requestsServed('jquery')).toBe(0);
  });

  it('is 100 MB behind gzip too, in chunks', async () => {
    await start({ fault: 'huge' });
    const { packed, size, start: text } = await inflatedSize('/jquery');
    expect([size, text.slice(0, 15)]).toEqual([100_000_000, '{"_id":"jquery"']);
    expect(packed).toBeGreaterThan(1_000_000);
    expect(fake.stats().bytes).toBe(packed);
  });

  it('is plain, whatever the client admits, where the rule says so', async () => {
    await start({ fault: 'huge', bytes: 1_000_000, plain: true });
    const { headers, raw } = await get('/jquery', GZIP);
    expect([headers['content-encoding'], headers['content-length']]).toEqual([undefined, '1000000']);
    expect(JSON.parse(raw.toString())).toMatchObject({ name: 'jquery' });
  });

  it.each([
    ['jquery', {}],
    ['naïve-日本', {}],
    ['n'.repeat(214), CORGI],
    ['@a/b', CORGI],
    ['naïve-日本', CORGI],
  ])('has the exact size and the same text both ways: %s %o', async (name, form) => {
    await start({ fault: 'huge', bytes: 1_234_567 });
    const path = `/${encodeURIComponent(name)}`;
    const [plain, zipped] = [await get(path, form), await get(path, { ...form, ...GZIP })];
    expect(plain.raw.length).toBe(1_234_567);
    expect([zipped.headers['content-encoding'], zipped.headers['content-length']]).toEqual(['gzip', undefined]);
    expect(zipped.text === plain.text).toBe(true);
    const document = JSON.parse(plain.text) as Packument;
    expect(document.name).toBe(name);
    for (const [version, manifest] of Object.entries(document.versions))
      expect(manifest).toMatchObject({ name, version });
    fake.setFaults([]);
    const honest = await get(path, form);
    expect(Object.keys(document)).toEqual(Object.keys(JSON.parse(honest.text) as object));
    expect(plain.headers.etag).not.toBe(honest.headers.etag);
  });

  it('is made no faster than it is read, and let go with the client', async () => {
    await start({ fault: 'huge', bytes: 300_000_000 });
    const res = await open('/jquery');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(fake.stats().bytes).toBeLessThan(10_000_000);
    res.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { bytes } = fake.stats();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(fake.stats().bytes).toBe(bytes);
    expect((await get('/-/ping')).status).toBe(200);
  });

  it('spares what is not there, and HEAD has no body', async () => {
    await start({ fault: 'huge' });
    fake.remove('con', 'unpublished');
    expect((await get('/nobody')).status).toBe(404);
    expect((await get('/con')).raw.length).toBeLessThan(1e6);
    const head = await ask(fake.url, '/jquery', { method: 'HEAD' });
    expect([head.headers['content-length'], head.raw.length]).toEqual(['100000000', 0]);
    expect(fake.stats().faults).toEqual({ huge: 1 });
  });
});
