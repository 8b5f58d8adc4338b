import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin, FaultRule } from './index.ts';
import { startFakeOrigin } from './index.ts';

const CORGI = { accept: 'application/vnd.npm.install-v1+json' };
const GZIP = { 'accept-encoding': 'gzip' };

let fake: FakeOrigin;
afterEach(() => fake.close());

async function start(...faults: FaultRule[]): Promise<void> {
  fake = await startFakeOrigin({ packages: 300, seed: 9, faults });
}

const get = (path: string, headers: Record<string, string> = {}) => ask(fake.url, path, { headers });
const parse = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** The same request without faults. */
async function honest(path: string, headers: Record<string, string> = {}) {
  fake.setFaults([]);
  return get(path, headers);
}

describe('whole-cut', () => {
  it.each([[{}], [GZIP]])('is half the text in a whole message: %o', async (headers) => {
    await start({ fault: 'whole-cut' });
    for (const path of ['/jquery', '/_all_docs', '/naïve-日本'].map(encodeURI)) {
      fake.setFaults([{ fault: 'whole-cut' }]);
      // ask() unpacks the gzip, so it is a valid one.
      const cut = await get(path, headers);
      expect(cut.headers['content-length']).toBe(String(cut.raw.length));
      expect(() => parse(cut.text)).toThrow();
      const whole = await honest(path, headers);
      expect(cut.headers['content-encoding']).toBe(whole.headers['content-encoding']);
      expect(cut.headers.etag).toBe(whole.headers.etag);
      expect(Math.abs(Buffer.byteLength(whole.text) / 2 - Buffer.byteLength(cut.text))).toBeLessThan(4);
    }
  });

  it('cuts tarballs too', async () => {
    await start({ fault: 'whole-cut', kinds: ['tarball'] });
    const [version] = Object.keys(fake.packument('a')?.versions as object);
    const path = `/a/-/a-${version}.tgz`;
    const cut = await get(path, GZIP);
    const whole = await honest(path);
    expect(cut.raw).toEqual(whole.raw.subarray(0, Math.floor(whole.raw.length / 2)));
    expect(cut.headers['content-encoding']).toBeUndefined();
  });
});

describe('corrupt-gzip', () => {
  it('has the right length and cannot be inflated, for any document; the cache stays sound', async () => {
    await start({ fault: 'corrupt-gzip' });
    for (const name of fake.names()) {
      const path = `/${encodeURIComponent(name)}`;
      const error = await get(path, GZIP).catch((thrown: unknown) => thrown);
      expect(error, name).toBeInstanceOf(Error);
      expect(String((error as { code?: string }).code), name).toMatch(/^Z_/);
    }
    expect(fake.stats()).toMatchObject({ faults: { 'corrupt-gzip': 300 }, byStatus: { 200: 300 } });
    expect(parse((await honest('/jquery', GZIP)).text).name).toBe('jquery');
  }, 60_000);

  it('breaks the digest of a tarball, and leaves what is not gzip alone', async () => {
    await start({ fault: 'corrupt-gzip' });
    const [version] = Object.entries(fake.packument('a')?.versions as Record<string, { dist: { shasum: string } }>);
    const { raw, headers } = await get(`/a/-/a-${version?.[0]}.tgz`);
    expect(headers['content-length']).toBe(String(raw.length));
    expect(createHash('sha1').update(raw).digest('hex')).not.toBe(version?.[1].dist.shasum);
    expect(() => gunzipSync(raw)).toThrow();
    expect(parse((await get('/a')).text).name).toBe('a');
    expect(fake.stats().faults).toEqual({ 'corrupt-gzip': 1 });
    expect(fake.requestsServed('a')).toBe(1);
  });
});

describe('ETags that lie', () => {
  it('wrong-etag: the honest body, another ETag each time, never a 304', async () => {
    await start({ fault: 'wrong-etag' });
    const replies = [await get('/jquery'), await get('/jquery'), await get('/_all_docs')];
    fake.setFaults([]);
    const sound = await get('/jquery');
    const etags = [...replies, sound].map(({ headers }) => headers.etag);
    expect(new Set(etags).size).toBe(4);
    for (const etag of etags) expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(replies[0]?.text).toBe(sound.text);
    fake.setFaults([{ fault: 'wrong-etag' }]);
    expect((await get('/jquery', { 'if-none-match': sound.headers.etag as string })).status).toBe(200);
  });

  it.each([[{}], [GZIP], [CORGI]])('same-etag: a new description each time, the honest ETag: %o', async (headers) => {
    await start({ fault: 'same-etag' });
    const [one, two] = [await get('/jquery', headers), await get('/jquery', headers)];
    const before = await get('/jquery', { ...headers, 'if-none-match': one.headers.etag as string });
    expect(before.status).toBe(304);
    expect(fake.stats().faults).toEqual({ 'same-etag': 2 });
    const sound = await honest('/jquery', headers);
    expect([one.headers.etag, two.headers.etag]).toEqual([sound.headers.etag, sound.headers.etag]);
    const descriptions = [one, two, sound].map(({ text }) => parse(text).description);
    expect(new Set(descriptions).size).toBe(3);
    expect({ ...parse(one.text), description: 0 }).toEqual({ ...parse(sound.text), description: 0 });
  });

  it('unsolicited-304: only when nothing conditional was asked', async () => {
    await start({ fault: 'unsolicited-304' });
    const reply = await get('/jquery');
    expect([reply.status, reply.raw.length, reply.headers['content-length']]).toEqual([304, 0, undefined]);
    expect((await get('/_all_docs')).status).toBe(304);
    expect((await get('/jquery', { 'if-none-match': '"x"' })).status).toBe(200);
    expect((await get('/nobody')).status).toBe(404);
    expect(fake.stats()).toMatchObject({ faults: { 'unsolicited-304': 2 }, notModified: 2 });
    expect(fake.requestsServed('jquery')).toBe(1);
    expect(reply.headers.etag).toBe((await honest('/jquery')).headers.etag);
  });
});

describe('bodies of their own', () => {
  it.each([
    ['empty', 200, ''],
    ['json-array', 200, '[]'],
    ['json-null', 200, 'null'],
    ['not-found', 404, '{"error":"Not found"}'],
  ] as const)('%s', async (fault, status, text) => {
    await start({ fault, times: 1 });
    const reply = await get('/jquery', GZIP);
    expect([reply.status, reply.text]).toEqual([status, text]);
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': String(text.length) });
    expect((await get('/jquery')).status).toBe(200);
    expect([fake.requestsFor('jquery'), fake.requestsServed('jquery')]).toEqual([2, 1]);
  });

  it('wrong-name: the whole document of another package', async () => {
    await start({ fault: 'wrong-name' });
    const names = [...fake.names()];
    for (const name of ['jquery', '@a/b', 'nobody', names.at(-1) as string]) {
      const { status, text } = await get(`/${encodeURIComponent(name)}`, GZIP);
      const other = parse(text).name as string;
      expect([status, other === name, fake.has(other)]).toEqual([200, false, true]);
      expect(parse(text)).toEqual(fake.packument(other));
    }
    expect(fake.requestsServed('jquery')).toBe(0);
  });

  it('wrong-name passes over packages without a document', async () => {
    await start({ fault: 'wrong-name' });
    const names = [...fake.names()];
    fake.remove(names[51] as string, '404');
    fake.remove(names[52] as string, 'unpublished');
    expect(parse((await get(`/${encodeURIComponent(names[50] as string)}`)).text).name).toBe(names[53]);
  });
});

describe('bodies with a sting', () => {
  it.each([[{}], [GZIP], [CORGI]])('hostile-keys: valid JSON but for the two keys: %o', async (headers) => {
    await start({ fault: 'hostile-keys' });
    const reply = await get('/jquery', headers);
    const document = parse(reply.text) as Record<string, Record<string, Record<string, unknown>>>;
    const [version] = Object.keys(document.versions ?? {}) as [string];
    for (const part of [document, document.versions?.[version] as Record<string, unknown>]) {
      expect(Object.hasOwn(part, '__proto__')).toBe(true);
      expect(Object.getOwnPropertyDescriptor(part, '__proto__')?.value).toEqual({ polluted: true });
      expect(part.constructor).toEqual({ prototype: { polluted: true } });
      for (const key of ['__proto__', 'constructor']) delete part[key];
    }
    const sound = await honest('/jquery', headers);
    expect(document).toEqual(parse(sound.text));
    expect(reply.headers.etag).not.toBe(sound.headers.etag);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([[{}], [GZIP], [CORGI]])('bad-utf8: in the readme, valid JSON to a lenient reader: %o', async (headers) => {
    await start({ fault: 'bad-utf8' });
    const {
      raw,
      text,
      headers: { 'content-encoding': encoding },
    } = await get('/jquery', headers);
    const bytes = encoding === 'gzip' ? gunzipSync(raw) : raw;
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow();
    const { readme, ...rest } = parse(text);
    expect(readme).toContain('\ufffd');
    const { readme: _, ...sound } = parse((await honest('/jquery', headers)).text);
    expect(rest).toEqual(sound);
  });

  it('spare a package that is not there', async () => {
    await start({ fault: 'hostile-keys', path: '^/n' }, { fault: 'bad-utf8', path: '^/m' }, { fault: 'same-etag' });
    for (const path of ['/nobody', '/mobody', '/zobody']) expect((await get(path)).text).toBe('{"error":"Not found"}');
    expect((await ask(fake.url, '/a', { method: 'PUT', body: '{}' })).status).toBe(405);
    expect(fake.stats().faults).toEqual({});
  });
});

describe('redirects', () => {
  it('redirect-loop leads to itself', async () => {
    await start({ fault: 'redirect-loop' });
    for (const path of ['/@a%2fb', '/_all_docs?limit=3&startkey=%22x%22']) {
      const { status, headers, raw } = await get(path);
      expect([status, headers.location, raw.length]).toEqual([302, fake.url + path, 0]);
    }
    await expect(fetch(`${fake.url}/a`)).rejects.toThrow();
    expect(fake.requestsFor('a')).toBeGreaterThan(10);
  });

  it('redirect-host leads to the same path elsewhere', async () => {
    await start();
    const other = await startFakeOrigin({ packages: 300, seed: 9 });
    fake.setFaults([{ fault: 'redirect-host', to: `${other.url}/` }]);
    expect((await get('/@a%2fb?x=1')).headers.location).toBe(`${other.url}/@a%2fb?x=1`);
    expect((await fetch(`${fake.url}/@a%2fb`)).status).toBe(200);
    expect(other.requestsServed('@a/b')).toBe(1);
    await other.close();
  });
});

describe('rules of these faults', () => {
  it('combine with share, kinds and times', async () => {
    await start({ fault: 'json-null', share: 0.3, kinds: ['packument'], times: 1 });
    const names = [...fake.names()];
    let hit = 0;
    for (const name of names) if ((await get(`/${encodeURIComponent(name)}`)).text === 'null') hit += 1;
    expect(hit).toBeGreaterThan(60);
    expect(hit).toBeLessThan(120);
    expect((await get('/_all_docs')).text).not.toBe('null');
  });

  it.each([
    { fault: 'wrong-length' },
    { fault: 'wrong-length', by: 0 },
    { fault: 'wrong-length', by: 1.5 },
    { fault: 'stall', at: 'end' },
    { fault: 'drip', msPerChunk: -1 },
    { fault: 'drip', chunkBytes: 0 },
    { fault: 'redirect-host' },
    { fault: 'redirect-host', to: '/x' },
    { fault: 'huge', bytes: 10 },
    { fault: 'page-cut', rows: -1 },
    { fault: 'page-cut', kinds: ['packument'] },
    { fault: 'huge', kinds: ['allDocs'] },
    null,
  ])('are refused when they are nonsense: %o', async (rule) => {
    await start();
    expect(() => fake.setFaults([rule] as never)).toThrow(TypeError);
  });
});
