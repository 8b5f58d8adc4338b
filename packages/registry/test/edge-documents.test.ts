import { hex } from '@_all_docs/cache';
import { HttpError } from '@_all_docs/http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { edge, WatchedStorage } from './_edge.ts';
import { ABBREVIATED, all, answer, documentOf, FULL, settled } from './_replica.ts';

const MINUTE = 60_000;
const GZIP = { 'accept-encoding': 'gzip' };
const express = documentOf('express', { '1.0.0': {}, '2.0.0': { more: { scripts: { install: 'make' } } } });

function held() {
  const it = edge();
  it.origin.say('/express', answer(JSON.stringify(express), { headers: { etag: '"one"' } }));
  return it;
}

describe('a document that is held', () => {
  test.each([FULL, ABBREVIATED])('costs one read as %s, and its bytes go out as they are stored', async (accept) => {
    const { ask, storage, origin } = held();
    const headers = { ...GZIP, accept };
    const first = await ask('/npm/express', { headers });
    storage.take();
    const second = await ask('/npm/express', { headers });
    expect(second.body).toEqual(first.body);
    expect(second.headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-length': String(first.body.length),
      'content-type': accept,
      vary: 'Accept, Accept-Encoding',
      'cache-control': 'public, max-age=300',
      'cache-status': '_all_docs; hit; ttl=300',
    });
    expect(storage.take()).toEqual(['open']);
    expect(origin.asked()).toBe(1);
  });

  test('the full one is what the origin sent, byte for byte, where tarball URLs stay as written', async () => {
    const it = edge({ options: { tarballHost: 'origin' } });
    const sent = answer(JSON.stringify(express));
    it.origin.say('/express', sent);
    for (let i = 0; i < 2; i++)
      expect((await it.ask('/npm/express', { headers: GZIP })).body).toEqual(Buffer.from(sent.body));
    const keys = await all(it.storage.list());
    expect(keys).toEqual([expect.stringMatching(/^v1:packument:/)]);
  });

  test.each([FULL, ABBREVIATED])(
    'is sent as %s without a regular expression, and without writing a date: on a host that compiles nothing, either is some hundredths of the answer',
    async (accept) => {
      const it = edge({ options: { tarballHost: 'origin' } });
      const date = { 'last-modified': 'Thu, 02 Jan 2025 03:04:05 GMT' };
      it.origin.say('/express', answer(JSON.stringify(express), { headers: date }));
      const headers: Record<string, string> = { ...GZIP, accept, host: 'replica.test:8080' };
      await it.ask('/npm/express', { headers });
      const exec = vi.spyOn(RegExp.prototype, 'exec');
      const write = vi.spyOn(Date.prototype, 'toUTCString');
      const get = (name: string) => headers[name] ?? null;
      const request = { method: 'GET', url: 'http://replica.test:8080/npm/express', headers: { get }, body: null };
      const { status, headers: said } = await it.registry.answer(request, '/npm/express');
      const ran = [...exec.mock.contexts.map(String), ...write.mock.calls];
      exec.mockRestore();
      write.mockRestore();
      expect([status, ran]).toEqual([200, []]);
      expect(said).toContain(date['last-modified']);
    },
  );

  test('304 is said from its metadata: its body is let go unread', async () => {
    const { ask, storage } = held();
    const { headers } = await ask('/npm/express', { headers: GZIP });
    const { bodies } = storage;
    Object.assign(bodies, { read: 0, cancelled: 0 });
    storage.take();
    const again = await ask('/npm/express', { headers: { ...GZIP, 'if-none-match': headers['etag'] as string } });
    expect([again.status, again.body.length, again.headers['etag']]).toEqual([304, 0, headers['etag']]);
    expect(again.headers['vary']).toBe('Accept, Accept-Encoding');
    expect((await ask('/npm/express', { method: 'HEAD', headers: GZIP })).headers['content-length']).toBe(
      headers['content-length'],
    );
    expect([storage.take(), bodies]).toEqual([['open', 'open'], { read: 0, cancelled: 2 }]);
  });

  test('a client that takes no gzip gets it unpacked, under an ETag of its own', async () => {
    const { ask } = held();
    const packed = await ask('/npm/express', { headers: GZIP });
    const plain = await ask('/npm/express');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.body.toString()).toBe(gunzipSync(packed.body).toString());
    expect(plain.headers['etag']).not.toBe(packed.headers['etag']);
  });

  test('forms, codings and bases each have their own ETag, and our own tarball URLs begin with the host that was asked', async () => {
    const { ask } = held();
    const tags = new Set<string>();
    for (const accept of [FULL, ABBREVIATED])
      for (const host of ['a.test', 'b.test:8080'])
        for (const encoding of ['gzip', 'identity']) {
          const { headers, json } = await ask('/npm/express', {
            headers: { accept, host, 'accept-encoding': encoding },
          });
          tags.add(headers['etag'] as string);
          expect(json.versions['1.0.0'].dist.tarball).toBe(`http://${host}/npm/express/-/express-1.0.0.tgz`);
        }
    expect(tags.size).toBe(8);
  });

  test('the abbreviated form has the documented fields, and hasInstallScript from the scripts', async () => {
    const { ask } = held();
    const { json } = await ask('/npm/express', { headers: { accept: ABBREVIATED } });
    expect(Object.keys(json)).toEqual(['name', 'dist-tags', 'versions', 'modified']);
    expect(json.modified).toBe(express.time.modified);
    expect(Object.keys(json.versions['1.0.0'])).toEqual(['name', 'version', 'dependencies', 'dist']);
    expect(json.versions['2.0.0'].hasInstallScript).toBe(true);
  });

  test('keys that a publisher chose stay what they are', async () => {
    const it = edge();
    const text = JSON.stringify(express).replace('"versions":{', '"versions":{"__proto__":{"name":"x","dist":{}},');
    it.origin.say('/express', answer(text));
    for (const accept of [FULL, ABBREVIATED]) {
      const { text } = await it.ask('/npm/express', { headers: { accept } });
      expect(text).toContain('"__proto__":{"name":"x"');
    }
    expect((await it.ask('/npm/express/constructor')).status).toBe(404);
    expect((await it.ask('/npm/express/__proto__')).json.name).toBe('x');
    expect(({} as { name?: string }).name).toBeUndefined();
  });

  test('one too large to be parsed is sent as it is, in every form', async () => {
    const it = edge();
    const large = JSON.stringify({ ...express, readme: 'x'.repeat(17 * 1024 * 1024) });
    it.origin.say('/express', answer(large));
    it.origin.say('/express/1.0.0', answer(JSON.stringify(express.versions['1.0.0'])));
    const { status, headers, text } = await it.ask('/npm/express', { headers: { ...GZIP, accept: ABBREVIATED } });
    expect([status, headers['content-type'], text.length]).toEqual([200, FULL, large.length]);
  });
});

describe('versions and tags', () => {
  test.each([
    ['/npm/express/1.0.0', '1.0.0'],
    ['/npm/express/latest', '2.0.0'],
  ])('%s is version %s, with our own tarball URL', async (target, version) => {
    const { ask } = held();
    const { status, headers, json } = await ask(target, { headers: GZIP });
    expect([status, headers['content-type'], json.version]).toEqual([200, FULL, version]);
    expect(json.dist.tarball).toBe(`http://replica.test/npm/express/-/express-${version}.tgz`);
    const known = { ...GZIP, 'if-none-match': headers['etag'] as string };
    expect((await ask(target, { headers: known })).status).toBe(304);
  });

  test('a version that is none is a 404, and the tags are a small document', async () => {
    const { ask } = held();
    expect(await ask('/npm/express/3.0.0')).toMatchObject({ status: 404, json: { error: 'version not found: 3.0.0' } });
    expect((await ask('/npm/-/package/express/dist-tags')).json).toEqual({ latest: '2.0.0' });
    expect((await ask('/npm/-/package/nothing/dist-tags')).status).toBe(404);
  });
});

describe('a document that is old', () => {
  test('is sent at once and compared behind; what is unchanged is young again in every form', async () => {
    const { ask, clock, origin } = held();
    for (const accept of [FULL, ABBREVIATED]) await ask('/npm/express', { headers: { accept } });
    expect(origin.asked()).toBe(1);
    await clock.advance(6 * MINUTE);
    for (const accept of [FULL, ABBREVIATED]) {
      const stale = await ask('/npm/express', { headers: { accept } });
      expect(stale.headers['cache-status']).toMatch(/^_all_docs; hit; ttl=-\d+$/);
      await clock.advance(11_000);
    }
    expect(origin.requests[1]?.headers?.['if-none-match']).toBe('"one"');
    for (const accept of [FULL, ABBREVIATED])
      expect((await ask('/npm/express', { headers: { accept } })).headers['cache-status']).toMatch(/ttl=2\d\d$/);
    expect(origin.asked()).toBe(2);
  });

  test('is replaced where the origin has another one', async () => {
    const { ask, clock, origin } = held();
    const headers = { accept: ABBREVIATED };
    await ask('/npm/express', { headers });
    origin.say(
      '/express',
      answer(JSON.stringify(documentOf('express', { '9.0.0': {} })), { headers: { etag: '"two"' } }),
    );
    await clock.advance(6 * MINUTE);
    expect(Object.keys((await ask('/npm/express', { headers })).json.versions)).toEqual(['1.0.0', '2.0.0']);
    expect(Object.keys((await ask('/npm/express', { headers })).json.versions)).toEqual(['9.0.0']);
    expect(origin.asked()).toBe(2);
  });

  test('is renewed by the isolate that claims it, where the host lets isolates agree', async () => {
    let isOurs = false;
    const { ask, origin, clock } = edge({ env: { claim: async () => isOurs } });
    origin.say('/express', answer(JSON.stringify(express)));
    await ask('/npm/express');
    await clock.advance(6 * MINUTE);
    expect((await ask('/npm/express')).headers['cache-status']).toContain('hit');
    expect(origin.asked()).toBe(1);
    isOurs = true;
    await clock.advance(10_000);
    await ask('/npm/express');
    expect(origin.asked()).toBe(2);
  });

  test('an origin in trouble is left alone for ten seconds, and never seen by who asks', async () => {
    const { ask, clock, origin } = held();
    await ask('/npm/express');
    origin.say('/express', new HttpError('ERR_FETCH_FAILED', 'reset'));
    await clock.advance(6 * MINUTE);
    for (let i = 0; i < 5; i++) expect((await ask('/npm/express')).status).toBe(200);
    expect(origin.asked()).toBe(2);
    await clock.advance(10_001);
    await ask('/npm/express');
    expect(origin.asked()).toBe(3);
  });

  test('goes at the origin’s second 404, not at the first', async () => {
    const { ask, clock, origin, storage } = held();
    for (const accept of [FULL, ABBREVIATED]) await ask('/npm/express', { headers: { accept } });
    origin.say('/express', answer('{}', { status: 404 }));
    await clock.advance(6 * MINUTE);
    expect((await ask('/npm/express')).status).toBe(200);
    await clock.advance(11_000);
    expect((await ask('/npm/express')).status).toBe(200);
    expect((await ask('/npm/express')).status).toBe(404);
    expect((await all(storage.list('v1:'))).filter((key) => !key.startsWith('v1:absent:'))).toEqual([]);
  });
});

describe('a document that is not held', () => {
  test('a 404 of the origin is repeated for a minute, and asked for again after it', async () => {
    const { ask, origin, clock } = edge();
    for (let i = 0; i < 3; i++)
      expect(await ask('/npm/nothing')).toMatchObject({ status: 404, json: { error: 'Not found' } });
    expect(origin.asked()).toBe(1);
    await clock.advance(MINUTE + 1);
    origin.say('/nothing', answer(JSON.stringify(documentOf('nothing'))));
    expect((await ask('/npm/nothing')).status).toBe(200);
  });

  test.each([
    ['resets', new HttpError('ERR_FETCH_FAILED', 'reset'), 502],
    ['answers 500', answer('{}', { status: 500 }), 502],
    ['asks for a pause', answer('{}', { status: 429, headers: { 'retry-after': '7' } }), 503],
    ['blocks', answer('<html>', { status: 404, headers: { 'content-type': 'text/html' } }), 502],
    ['is too slow', new HttpError('ERR_TIMEOUT', 'slow'), 504],
    ['sends another document', answer(JSON.stringify(documentOf('other'))), 502],
    ['sends half of it', answer(JSON.stringify(express).slice(0, 500)), 502],
    ['sends no object', answer('[]'), 502],
  ])('an origin that %s is a 5xx and never a 404; nothing is kept', async (_, say, status) => {
    const { ask, origin, storage } = edge();
    origin.say('/express', say);
    const answered = await ask('/npm/express');
    expect([answered.status, typeof answered.json.error]).toEqual([status, 'string']);
    expect(await all(storage.list())).toEqual([]);
  });

  test('who waits too long is told so', async () => {
    const { registry, origin, clock } = edge({ options: { patienceMs: 5_000 } });
    origin.say('/express', () => new Promise(() => undefined));
    const response = registry.handle(new Request('http://replica.test/npm/express'));
    await settled();
    await clock.advance(5_000);
    expect((await response).status).toBe(504);
  });

  test('offline, what is not held is a 504, and nobody is asked', async () => {
    const { ask, origin } = edge({ options: { offline: true } });
    expect((await ask('/npm/express')).json.code).toBe('ERR_OFFLINE');
    expect(origin.asked()).toBe(0);
  });
});

describe('what the feed said', () => {
  test('what was stored before is not shown: the registry is asked past its caches, and every form is new', async () => {
    let goneAt = 0;
    const it = edge({ env: { removals: { isRemoved: (name, storedAt) => name === 'express' && storedAt < goneAt } } });
    it.origin.say('/express', answer(JSON.stringify(express)));
    for (const accept of [FULL, ABBREVIATED]) await it.ask('/npm/express', { headers: { accept } });
    await it.clock.advance(1_000);
    goneAt = it.clock.now();
    const now = documentOf('express', { '2.0.0': {} });
    it.origin.say('/express?write=true', answer(JSON.stringify(now)));
    for (const accept of [ABBREVIATED, FULL])
      expect(Object.keys((await it.ask('/npm/express', { headers: { accept } })).json.versions)).toEqual(['2.0.0']);
    expect(it.origin.asked('/express?write=true')).toBe(1);
    await it.clock.advance(1_000);
    goneAt = it.clock.now();
    it.origin.say('/express?write=true', new HttpError('ERR_FETCH_FAILED', 'reset'));
    expect((await it.ask('/npm/express')).status).toBe(502);
    it.origin.say('/express?write=true', answer('{}', { status: 404 }));
    expect((await it.ask('/npm/express')).status).toBe(404);
  });

  test('settle makes it true in the store', async () => {
    const it = held();
    for (const accept of [FULL, ABBREVIATED]) await it.ask('/npm/express', { headers: { accept } });
    it.origin.say('/express?write=true', answer(JSON.stringify(documentOf('express', { '9.0.0': {} }))));
    expect(await it.registry.settle('express')).toBe('settled');
    await it.idle();
    expect(await all(it.storage.list('v1:derived:'))).toEqual([]);
    const { json } = await it.ask('/npm/express', { headers: { accept: ABBREVIATED } });
    expect(Object.keys(json.versions)).toEqual(['9.0.0']);
    it.origin.say('/express?write=true', answer('{}', { status: 404 }));
    expect(await it.registry.settle('express')).toBe('absent');
    expect(await it.registry.settle('never-heard-of')).toBe('unheld');
    expect((await it.ask('/npm/express')).status).toBe(404);
  });
});

describe('a store in trouble', () => {
  test.each(['read', 'write'] as const)('that cannot %s makes answers slower, not wrong', async (failing) => {
    const { ask, storage, origin, log } = held();
    storage.failing = failing;
    for (let i = 0; i < 2; i++)
      expect((await ask('/npm/express', { headers: { accept: ABBREVIATED } })).status).toBe(200);
    expect(origin.asked()).toBe(2);
    expect(log.some((line) => line.startsWith('the store is in trouble'))).toBe(true);
  });

  test('what was pushed stays for good, what was pulled through may go', async () => {
    const storage = new WatchedStorage();
    const first = edge({ storage });
    first.origin.say('/express', answer(JSON.stringify(express)));
    await first.ask('/npm/express');
    const key = (await all(storage.list('v1:packument:')))[0] as string;
    expect(key.endsWith(hex('express'))).toBe(true);
    expect((await storage.head(key))?.expiresAt).toBe(first.clock.now() + 30 * 86_400_000);
    const pushed = await storage.read(key);
    if (pushed) await storage.write(key, { ...pushed, metadata: { ...pushed.metadata, expiresAt: undefined } });
    await first.clock.advance(6 * MINUTE);
    await first.ask('/npm/express');
    expect(await storage.head(key)).toMatchObject({ storedAt: first.clock.now(), expiresAt: undefined });
  });
});
