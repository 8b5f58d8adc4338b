import { CacheError, MemoryStorageDriver } from '@_all_docs/cache';
import { HttpError, webCodec } from '@_all_docs/http';
import type { RegistryEnv } from '@_all_docs/registry';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { ABBREVIATED, all, answer, documentOf, FULL, Origin, replica, settled } from './_replica.ts';

const GZIP = { 'accept-encoding': 'gzip' };
const MINUTE = 60_000;

describe('forms', () => {
  test.each([
    [undefined, FULL],
    ['', FULL],
    ['*/*', FULL],
    [FULL, FULL],
    [ABBREVIATED, ABBREVIATED],
    [ABBREVIATED.toUpperCase(), ABBREVIATED],
    [`${ABBREVIATED}; q=1.0, application/json; q=0.8, */*`, ABBREVIATED],
    [`application/json; q=1.0, ${ABBREVIATED}; q=0.9, */*`, FULL],
    ['application/json; q=1.0, */*', FULL],
    [`${ABBREVIATED}, ${FULL}`, ABBREVIATED],
    [`${FULL}, ${ABBREVIATED}`, FULL],
    [`*/*, ${ABBREVIATED}`, FULL],
    [`${ABBREVIATED}, */*`, ABBREVIATED],
    [`${ABBREVIATED};q=0`, FULL],
    [`${ABBREVIATED};q=0.1, application/json;q=0`, ABBREVIATED],
    [`application/json;q=0.5, */*;q=1, ${ABBREVIATED};q=0.8`, ABBREVIATED],
    [`${ABBREVIATED};q=0.3, application/*;q=0.4`, FULL],
    [`${ABBREVIATED};q=nonsense, application/json;q=0.9`, ABBREVIATED],
    ['text/html', FULL],
    ['image/png, application/xml', FULL],
    [',;=,,q', FULL],
  ])('Accept %j gets %s, never 406', async (accept, type) => {
    const { ask, hold } = replica();
    await hold(documentOf('express'));
    const { status, headers, json } = await ask('/npm/express', { headers: accept === undefined ? {} : { accept } });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe(type);
    expect(json.readme === undefined).toBe(type === ABBREVIATED);
  });

  test.each([
    [undefined, false],
    ['gzip', true],
    ['gzip,deflate', true],
    ['gzip, deflate, br', true],
    ['x-gzip', true],
    ['*', true],
    ['GZIP', true],
    ['br', false],
    ['identity', false],
    ['gzip;q=0', false],
    ['*;q=0', false],
    ['gzip;q=0, *', false],
    ['identity;q=1, gzip;q=0.5', false],
    ['identity;q=0.5, gzip;q=0.5', true],
    ['', false],
  ])('Accept-Encoding %j gets gzip: %s', async (coding, packed) => {
    const { ask, hold } = replica();
    await hold(documentOf('express'));
    for (const accept of [FULL, ABBREVIATED]) {
      const headers = { accept, ...(coding === undefined ? {} : { 'accept-encoding': coding }) };
      const answered = await ask('/npm/express', { headers });
      expect(answered.headers['content-encoding']).toBe(packed ? 'gzip' : undefined);
      expect(answered.headers['content-length']).toBe(String(answered.body.length));
      expect(JSON.parse((packed ? gunzipSync(answered.body) : answered.body).toString()).name).toBe('express');
    }
  });

  test('the full form is the stored bytes themselves where no URL is to be changed', async () => {
    const { ask, hold, storage, registry } = replica({ options: { tarballHost: 'origin' } });
    await hold(documentOf('express'));
    const stored = await storage.read(
      `v1:packument:${encodeURIComponent('https://registry.example.test')}:65787072657373`,
    );
    expect((await ask('/npm/express', { headers: GZIP })).body).toEqual(Buffer.from(stored?.body ?? []));
    expect(registry.stats().derived).toBe(0);
  });

  test('a replica of abbreviated documents serves those, whatever is asked for', async () => {
    const { ask, hold, origin } = replica({ options: { form: 'abbreviated' } });
    await hold({ name: 'express', modified: 'x', 'dist-tags': {}, versions: {} } as never);
    for (const accept of [FULL, ABBREVIATED]) {
      const { headers } = await ask('/npm/express', { headers: { accept } });
      expect(headers['content-type']).toBe(ABBREVIATED);
    }
    origin.say('/lodash', answer(JSON.stringify(documentOf('lodash'))));
    await ask('/npm/lodash');
    expect(origin.requests[0]?.headers?.['accept']).toBe(ABBREVIATED);
  });

  test('what was derived is not derived again, also by the next process', async () => {
    const { ask, hold, storage, registry, clock } = replica();
    await hold(documentOf('express'));
    const headers = { ...GZIP, accept: ABBREVIATED };
    const first = await ask('/npm/express', { headers });
    await registry.close();
    const again = replica({ storage, clock });
    const second = await again.ask('/npm/express', { headers });
    expect(second.body).toEqual(first.body);
    expect([registry.stats().derived, again.registry.stats().derived]).toEqual([1, 0]);
  });

  test('a host may derive elsewhere', async () => {
    const asked: object[] = [];
    const derive = async (_source: Uint8Array, _encoding: string, options: object) => {
      asked.push(options);
      return answer('{"name":"express","elsewhere":true}').body;
    };
    const { ask, hold } = replica({ env: { derive } });
    await hold(documentOf('express'));
    const { json } = await ask('/npm/express', { headers: { accept: ABBREVIATED } });
    expect(json.elsewhere).toBe(true);
    expect(asked).toEqual([{ name: 'express', form: 'abbreviated', base: 'http://replica.test/npm/' }]);
  });
});

describe('versions and tags', () => {
  const versions = { '1.0.0': {}, '2.0.0-rc.1': {}, '2.0.0': {} };
  const tagged = documentOf('@s/n', versions, {
    'dist-tags': { latest: '2.0.0', next: '2.0.0-rc.1', '1.0.0': '2.0.0', gone: '9.9.9' },
  });

  test.each([
    ['/npm/@s%2fn/latest', '2.0.0'],
    ['/npm/@s/n/next', '2.0.0-rc.1'],
    ['/npm/@s%2fn/2.0.0-rc.1', '2.0.0-rc.1'],
  ])('%s is version %s, with our tarball URL', async (target, version) => {
    const { ask, hold } = replica();
    await hold(tagged);
    const { status, headers, json } = await ask(target, { headers: GZIP });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe(FULL);
    expect(json).toMatchObject({ name: '@s/n', version, scripts: { test: 'node test' } });
    expect(json.dist.tarball).toBe(`http://replica.test/npm/@s/n/-/n-${version}.tgz`);
    expect((await ask(target, { headers: { ...GZIP, 'if-none-match': headers['etag'] as string } })).status).toBe(304);
  });

  test.each(['3.0.0', 'beta', 'gone', 'constructor', '__proto__', '^1.0.0'])(
    '%s is a 404 that names it',
    async (wanted) => {
      const { ask, hold } = replica();
      await hold(tagged);
      const { status, json } = await ask(`/npm/@s%2fn/${wanted}`);
      expect(status).toBe(404);
      expect(json.error).toBe(`version not found: ${wanted}`);
    },
  );

  test('a version that an old document lacks is looked for in a new one before it is denied', async () => {
    const { ask, hold, origin, clock } = replica();
    await hold(documentOf('express', { '1.0.0': {} }));
    origin.say('/express', answer(JSON.stringify(documentOf('express', { '1.0.0': {}, '1.1.0': {} }))));
    await clock.advance(10 * MINUTE);
    expect((await ask('/npm/express/1.1.0')).json.version).toBe('1.1.0');
    expect((await ask('/npm/express/1.2.0')).status).toBe(404);
    expect(origin.asked()).toBe(1);
  });

  test('dist-tags are given as they stand in the document', async () => {
    const { ask, hold } = replica();
    await hold(tagged);
    for (const spelling of ['@s/n', '@s%2fn', '@s%2Fn']) {
      const { status, headers, json } = await ask(`/npm/-/package/${spelling}/dist-tags`);
      expect([status, json]).toEqual([200, tagged['dist-tags']]);
      expect(
        (await ask(`/npm/-/package/${spelling}/dist-tags`, { headers: { 'if-none-match': headers['etag'] as string } }))
          .status,
      ).toBe(304);
    }
  });

  test('tags and versions of what is not there are 404s of npm', async () => {
    const { ask, origin } = replica();
    for (const target of ['/npm/-/package/nope/dist-tags', '/npm/nope/latest', '/npm/nope']) {
      expect(await ask(target)).toMatchObject({ status: 404, text: '{"error":"Not found"}' });
    }
    expect(origin.asked()).toBe(1);
  });
});

describe('validators', () => {
  test('every form, coding and base has its own strong ETag; a new document has others', async () => {
    const { ask, hold } = replica();
    const etags = async () => {
      const seen: string[] = [];
      for (const accept of [FULL, ABBREVIATED]) {
        for (const coding of ['gzip', 'identity']) {
          for (const host of ['a.test', 'b.test']) {
            const headers = { accept, 'accept-encoding': coding, host };
            seen.push((await ask('/npm/express', { headers })).headers['etag'] as string);
          }
        }
      }
      return seen;
    };
    await hold(documentOf('express'));
    const before = await etags();
    expect(new Set(before).size).toBe(8);
    for (const etag of before) expect(etag).toMatch(/^"[\w-]+"$/);
    expect(await etags()).toEqual(before);
    await hold(documentOf('express', { '1.0.1': {} }));
    expect(new Set([...before, ...(await etags())]).size).toBe(16);
  });

  test('If-None-Match is answered from the index: the body is not read', async () => {
    const { ask, hold, storage, clock } = replica();
    await hold(documentOf('express'));
    const { headers } = await ask('/npm/express', { headers: { ...GZIP, accept: ABBREVIATED } });
    const again = replica({ storage, clock });
    storage.read = () => Promise.reject(new Error('the body was read'));
    const unchanged = await again.ask('/npm/express', {
      headers: { ...GZIP, accept: ABBREVIATED, 'if-none-match': headers['etag'] as string },
    });
    expect(unchanged.status).toBe(304);
    expect(unchanged.body.length).toBe(0);
    expect(unchanged.headers).toMatchObject({
      etag: headers['etag'],
      vary: headers['vary'],
      'cache-control': 'public, max-age=300',
    });
    expect(unchanged.headers['content-type']).toBeUndefined();
  });

  test.each([
    [(etag: string) => etag, 304],
    [(etag: string) => `W/${etag}`, 304],
    [(etag: string) => `"x", ${etag}`, 304],
    [(etag: string) => `"x",W/${etag} , "y"`, 304],
    [() => '*', 304],
    [() => '"x"', 200],
    [() => '', 200],
    [(etag: string) => etag.slice(1, -1), 200],
    [(etag: string) => `"x${etag}x"`, 200],
  ])('If-None-Match %s is %i', async (match, status) => {
    const { ask, hold } = replica();
    await hold(documentOf('express'));
    const { headers } = await ask('/npm/express');
    const answered = await ask('/npm/express', { headers: { 'if-none-match': match(headers['etag'] as string) } });
    expect(answered.status).toBe(status);
  });

  test.each([
    ['Thu, 02 Jan 2025 03:04:05 GMT', 304],
    ['Fri, 03 Jan 2025 03:04:05 GMT', 304],
    ['Thu, 02 Jan 2025 03:04:04 GMT', 200],
    ['yesterday', 200],
  ])('If-Modified-Since %s is %i, and counts only without If-None-Match', async (since, status) => {
    const { ask, hold } = replica();
    await hold(documentOf('express'), { 'last-modified': 'Thu, 02 Jan 2025 03:04:05 GMT' });
    const answered = await ask('/npm/express', { headers: { 'if-modified-since': since } });
    expect(answered.status).toBe(status);
    const both = await ask('/npm/express', { headers: { 'if-modified-since': since, 'if-none-match': '"x"' } });
    expect(both.status).toBe(200);
    expect(both.headers['last-modified']).toBe('Thu, 02 Jan 2025 03:04:05 GMT');
  });

  const DATE = 'Thu, 02 Jan 2025 03:04:05 GMT';
  test.each([
    ['Thu, 02 Jan 2025 03:04:05 GMT', DATE],
    ['Thursday, 02-Jan-25 03:04:05 GMT', DATE],
    ['2025-01-02T03:04:05.678Z', DATE],
    ['Thu, 02 Jan 2025 03:04:05 UTC', DATE],
    ['Thu, 2 Jan 2025 03:04:05 GMT', DATE],
    ['Thu, 02 Joy 2025 03:04:05 GMT', undefined],
    ['Thu, 02 Jan 2025 03:04:0x GMT', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ])('the origin\'s Last-Modified "%s" is said as %s, or else what the document says', async (said, sent) => {
    const { 'dist-tags': tags, versions } = documentOf('express');
    const short = { name: 'express', modified: '2024-05-06T07:08:09.012Z', 'dist-tags': tags, versions };
    for (const [form, document, other] of [
      ['full', documentOf('express'), undefined],
      ['abbreviated', short, 'Mon, 06 May 2024 07:08:09 GMT'],
    ] as const) {
      const { ask, hold } = replica({ options: { form } });
      await hold(document, { 'last-modified': said });
      expect((await ask('/npm/express')).headers['last-modified']).toBe(sent ?? other);
    }
  });

  test('HEAD says all that GET says, without the body', async () => {
    const { ask, hold } = replica();
    await hold(documentOf('express'));
    for (const headers of [GZIP, {}, { ...GZIP, accept: ABBREVIATED }]) {
      const head = await ask('/npm/express', { method: 'HEAD', headers });
      const get = await ask('/npm/express', { headers });
      expect([head.status, head.body.length]).toEqual([200, 0]);
      expect(head.headers).toEqual(get.headers);
    }
    const missing = await ask('/npm/nope', { method: 'HEAD' });
    expect([missing.status, missing.body.length]).toEqual([404, 0]);
  });

  test('answers vary by what they depend on, and may be kept five minutes', async () => {
    for (const [tarballHost, vary] of [
      ['self', 'Accept, Accept-Encoding'],
      ['origin', 'Accept, Accept-Encoding'],
      ['auto', 'Accept, Accept-Encoding, User-Agent'],
    ] as const) {
      const { ask, hold } = replica({ options: { tarballHost } });
      await hold(documentOf('express'));
      const { headers } = await ask('/npm/express');
      expect(headers).toMatchObject({ vary, 'cache-control': 'public, max-age=300', age: '0' });
    }
  });
});

describe('pull-through', () => {
  test('a document that is not held is fetched, stored and sent; then it is held', async () => {
    const { ask, origin, registry } = replica();
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    const first = await ask('/npm/express');
    expect(first).toMatchObject({ status: 200, json: { name: 'express' } });
    expect(first.headers['cache-status']).toBe('_all_docs; fwd=miss; stored');
    expect((await ask('/npm/express')).headers['cache-status']).toBe('_all_docs; hit; ttl=300');
    expect(origin.asked()).toBe(1);
    expect(registry.stats()).toMatchObject({ misses: 1, hits: 1, originRequests: 1 });
  });

  test.each([
    ['a document', answer(JSON.stringify(documentOf('express'))), 200],
    ['a 404', answer('{}', { status: 404 }), 404],
    ['a 500', answer('{}', { status: 500 }), 502],
    ['a reset', new HttpError('ERR_FETCH_FAILED', 'reset'), 502],
  ])('a hundred parallel cold requests for %s make one origin request', async (_what, say, status) => {
    const { ask, origin } = replica();
    const gate = Promise.withResolvers<void>();
    origin.say('/express', async () => {
      await gate.promise;
      if (say instanceof Error) throw say;
      return say;
    });
    const accepts = [FULL, ABBREVIATED];
    const targets = ['/npm/express', '/npm/express', '/npm/-/package/express/dist-tags', '/npm/express/latest'];
    const answers = Array.from({ length: 100 }, (_, i) =>
      ask(targets[i % 4] as string, { headers: { accept: accepts[i % 2] as string } }),
    );
    await settled();
    gate.resolve();
    expect(new Set((await Promise.all(answers)).map((answered) => answered.status))).toEqual(new Set([status]));
    expect(origin.asked()).toBe(1);
  });

  test('the fetch goes on when the client that began it leaves', async () => {
    const { registry, ask, origin } = replica();
    const gate = Promise.withResolvers<void>();
    origin.say('/express', async () => {
      await gate.promise;
      return answer(JSON.stringify(documentOf('express')));
    });
    const leaving = new AbortController();
    const request = new Request('http://replica.test/', { signal: leaving.signal });
    const first = registry.handle(request, '/npm/express');
    await settled();
    const second = ask('/npm/express');
    leaving.abort();
    gate.resolve();
    expect((await second).status).toBe(200);
    expect((await first).status).toBe(200);
    expect(origin.requests.map(({ signal }) => signal?.aborted ?? false)).toEqual([false]);
  });

  test('a document that is not what was asked for is never kept', async () => {
    const { ask, origin, storage } = replica();
    origin.say('/express', answer(JSON.stringify(documentOf('lodash'))));
    expect((await ask('/npm/express')).status).toBe(502);
    expect(await all(storage.list('v1:packument:'))).toEqual([]);
  });

  test('the form that it was fetched for is made while it is checked: it is not unpacked or read again', async () => {
    const storage = new MemoryStorageDriver();
    const decoded: number[] = [];
    const codec: typeof webCodec = {
      ...webCodec,
      decode: (bytes, encoding, most) => {
        decoded.push(bytes.length);
        return webCodec.decode(bytes, encoding, most);
      },
    };
    const read = vi.spyOn(storage, 'read');
    const { ask, origin, registry, clock } = replica({ storage, env: { codec } });
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    const headers = { ...GZIP, accept: ABBREVIATED };
    const first = await ask('/npm/express', { headers });
    expect(first.json.versions['1.0.0'].dist.tarball).toMatch(/^http:\/\/replica\.test\//);
    expect(decoded).toHaveLength(1);
    expect(read.mock.calls.filter(([key]) => key.includes(':packument:'))).toEqual([]);
    expect(registry.stats().derived).toBe(1);
    // It is kept behind the answer.
    await registry.close();
    const again = replica({ storage, clock });
    expect((await again.ask('/npm/express', { headers })).body).toEqual(first.body);
    expect(again.registry.stats().derived).toBe(0);
  });

  test('what was made of a document is not given for one that somebody else stored meanwhile', async () => {
    const storage = new MemoryStorageDriver();
    const { ask, origin, hold, registry } = replica({ storage });
    const theirs = { ...documentOf('express', { '1.0.0': {}, '2.0.0': {} }), _rev: '4-def' };
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    const write = storage.write.bind(storage);
    vi.spyOn(storage, 'write').mockImplementationOnce(async (key, entry) => {
      await write(key, entry);
      await hold(theirs);
    });
    const headers = { ...GZIP, accept: ABBREVIATED };
    expect(Object.keys((await ask('/npm/express', { headers })).json.versions)).toEqual(['1.0.0']);
    await registry.close();
    expect(Object.keys((await ask('/npm/express', { headers })).json.versions)).toEqual(['1.0.0', '2.0.0']);
    expect(origin.asked()).toBe(1);
  });

  test.each([
    ['as it came', {}],
    ['in another form', { accept: ABBREVIATED }],
  ])('whoever asked first has it %s before it is stored; the others when it is', async (_how, accept) => {
    const storage = new MemoryStorageDriver();
    const { ask, origin, registry } = replica({ storage });
    const write = storage.write.bind(storage);
    const gate = Promise.withResolvers<void>();
    storage.write = async (key, entry) => {
      if (key.includes(':packument:')) await gate.promise;
      await write(key, entry);
    };
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    const headers = { ...GZIP, ...accept };
    const first = await ask('/npm/express', { headers });
    expect(first.json.name).toBe('express');
    expect(await all(storage.list('v1:packument:'))).toEqual([]);
    let isThere = false;
    const second = ask('/npm/express', { headers }).then((answered) => {
      isThere = true;
      return answered;
    });
    await settled();
    expect(isThere).toBe(false);
    gate.resolve();
    const { etag } = (await second).headers;
    expect(etag).toBe(first.headers.etag);
    await registry.close();
    expect((await ask('/npm/express', { headers })).headers.etag).toBe(etag);
    expect(origin.asked()).toBe(1);
  });

  test('a store that is slower than those who ask is waited for', async () => {
    const storage = new MemoryStorageDriver();
    const { ask, origin } = replica({ storage });
    const write = storage.write.bind(storage);
    const gate = Promise.withResolvers<void>();
    storage.write = async (key, entry) => {
      await gate.promise;
      await write(key, entry);
    };
    const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
    for (const name of names) origin.say(`/${name}`, answer(JSON.stringify(documentOf(name))));
    let answered = 0;
    const asked = names.map((name) =>
      ask(`/npm/${name}`).then(({ status }) => {
        answered += 1;
        return status;
      }),
    );
    await vi.waitFor(() => expect(answered).toBe(16));
    await settled();
    expect(answered).toBe(16);
    gate.resolve();
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
  });

  test('a document that was answered with and cannot be kept is told of, and fetched again', async () => {
    const storage = new MemoryStorageDriver();
    const warned: string[] = [];
    const { ask, origin, registry, clock } = replica({
      storage,
      env: { logger: { warn: (text) => warned.push(text) } },
    });
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    vi.spyOn(storage, 'write').mockRejectedValueOnce(new TypeError('a mistake of ours'));
    expect((await ask('/npm/express')).status).toBe(200);
    await registry.close();
    expect(warned).toEqual(['express was answered with, and could not be kept']);
    clock.time += MINUTE;
    expect((await ask('/npm/express')).status).toBe(200);
    expect(origin.asked()).toBe(2);
  });

  test('what the feed says while a document is on its way is heeded before the answer', async () => {
    let said: Awaited<ReturnType<NonNullable<RegistryEnv['announced']>>>;
    const { ask, origin } = replica({ env: { announced: async () => said } });
    origin.say('/express', () => {
      said = { change: { seq: 7, rev: '4-def', deleted: false }, clearedAt: undefined };
      return answer(JSON.stringify(documentOf('express')));
    });
    origin.say('/express?write=true', answer(JSON.stringify(documentOf('express'))));
    const { status, json } = await ask('/npm/express');
    expect([status, json.code]).toEqual([503, 'ERR_CHANGED']);
  });

  test('what is damaged at rest is fetched again, whole, and then served', async () => {
    const { ask, hold, origin, storage } = replica();
    await hold(documentOf('express'), { etag: '"1"' });
    const read = storage.read.bind(storage);
    let damaged = true;
    storage.read = async (key) => {
      if (damaged && key.includes(':packument:')) throw new CacheError('ERR_CORRUPT', 'damaged');
      return read(key);
    };
    origin.say('/express', () => {
      damaged = false;
      return answer(JSON.stringify(documentOf('express')), { headers: { etag: '"1"' } });
    });
    expect((await ask('/npm/express')).json.name).toBe('express');
    expect(origin.requests[0]?.headers?.['if-none-match']).toBeUndefined();
  });

  test('nothing of the client is passed on but what it asks for', async () => {
    const { ask, origin } = replica();
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    await ask('/npm/express', {
      headers: {
        authorization: 'Bearer secret',
        cookie: 'c=1',
        'if-none-match': '"x"',
        'x-forwarded-for': '1.2.3.4',
        'npm-command': 'install',
      },
    });
    expect(origin.requests[0]?.headers).toEqual({ accept: FULL, 'accept-encoding': 'gzip' });
  });
});

describe('absence', () => {
  test('a 404 is repeated for a minute without asking, then asked again', async () => {
    const { ask, origin, clock } = replica();
    for (let i = 0; i < 3; i++)
      expect(await ask('/npm/nope')).toMatchObject({ status: 404, json: { error: 'Not found' } });
    await clock.advance(MINUTE - 1);
    expect((await ask('/npm/nope')).status).toBe(404);
    expect(origin.asked()).toBe(1);
    await clock.advance(1);
    origin.say('/nope', answer(JSON.stringify(documentOf('nope'))));
    expect((await ask('/npm/nope')).status).toBe(200);
    expect(origin.asked()).toBe(2);
  });

  test('another process on the same store knows it, too', async () => {
    const { ask, origin, storage, clock } = replica();
    await ask('/npm/nope');
    expect((await replica({ origin, storage, clock }).ask('/npm/nope')).status).toBe(404);
    expect(origin.asked()).toBe(1);
  });

  test('what is held goes at the second 404 in turn, not at a single one', async () => {
    const { ask, hold, origin, clock, registry } = replica();
    await hold(documentOf('express'));
    origin.say('/express', answer('{}', { status: 404 }));
    await clock.advance(10 * MINUTE);
    expect((await ask('/npm/express')).status).toBe(200);
    await settled();
    expect((await ask('/npm/express')).status).toBe(200);
    expect(origin.asked()).toBe(1);
    await clock.advance(MINUTE);
    expect((await ask('/npm/express')).status).toBe(200);
    await settled();
    expect((await ask('/npm/express')).status).toBe(404);
    expect(origin.asked()).toBe(2);
    expect(registry.stats().removed).toBe(1);
  });

  test('a 404 between two documents is forgotten', async () => {
    const { ask, hold, origin, clock } = replica();
    await hold(documentOf('express'));
    const gone = answer('{}', { status: 404 });
    for (const say of [gone, answer(JSON.stringify(documentOf('express'))), gone]) {
      origin.say('/express', say);
      await clock.advance(10 * MINUTE);
      expect((await ask('/npm/express')).status).toBe(200);
      await settled();
    }
    expect((await ask('/npm/express')).status).toBe(200);
  });

  test.each([410, 451])('a %i takes it down at once', async (status) => {
    const { ask, hold, origin, clock } = replica();
    await hold(documentOf('express'));
    origin.say('/express', answer('{}', { status }));
    await clock.advance(10 * MINUTE);
    await ask('/npm/express');
    await settled();
    expect((await ask('/npm/express')).status).toBe(404);
  });

  test('rows of names that do not exist are bounded', async () => {
    const { ask, storage, clock } = replica();
    for (let i = 0; i < 30; i++) await ask(`/npm/nope-${i}`);
    await clock.advance(MINUTE);
    const rows = await all(storage.ordered.list());
    expect(rows.filter(([key]) => key.includes(':absent:') && key.includes(':entry:'))).toHaveLength(30);
  });
});

describe('freshness', () => {
  const old = documentOf('express', { '1.0.0': {} });
  const young = documentOf('express', { '1.0.0': {}, '1.1.0': {} });

  test('what is old is sent at once and renewed behind, once for all who ask', async () => {
    const { ask, hold, origin, clock, registry } = replica();
    await hold(old, { etag: '"old"' });
    const gate = Promise.withResolvers<void>();
    origin.say('/express', async () => {
      await gate.promise;
      return answer(JSON.stringify(young), { headers: { etag: '"young"' } });
    });
    await clock.advance(5 * MINUTE + 1_000);
    for (let i = 0; i < 10; i++) {
      const { json, headers } = await ask('/npm/express');
      expect(Object.keys(json.versions)).toEqual(['1.0.0']);
      expect(headers['cache-status']).toBe('_all_docs; hit; ttl=-1');
      expect(headers['age']).toBe('301');
    }
    expect(origin.asked()).toBe(1);
    expect(origin.requests[0]?.headers?.['if-none-match']).toBe('"old"');
    gate.resolve();
    await registry.close();
    expect(Object.keys((await ask('/npm/express')).json.versions)).toEqual(['1.0.0', '1.1.0']);
    expect(origin.asked()).toBe(1);
    expect(registry.stats().stale).toBe(10);
  });

  test('an unchanged document is young again, with the same ETag', async () => {
    const { ask, hold, origin, clock, registry } = replica();
    await hold(old, { etag: '"old"' });
    origin.say('/express', answer(JSON.stringify(old), { headers: { etag: '"old"' } }));
    await clock.advance(10 * MINUTE);
    const before = await ask('/npm/express');
    await registry.close();
    const after = await ask('/npm/express');
    expect(after.headers).toMatchObject({ etag: before.headers['etag'], 'cache-status': '_all_docs; hit; ttl=300' });
  });

  test.each([
    ['hangs', () => new Promise<never>(() => {})],
    ['answers 500', () => answer('{}', { status: 500 })],
    ['answers 429', () => answer('{}', { status: 429, headers: { 'retry-after': '30' } })],
    ['sends a block page', () => ({ ...answer('<html>'), headers: { 'content-type': 'text/html' } })],
    ['resets', () => Promise.reject(new HttpError('ERR_FETCH_FAILED', 'reset'))],
    ['sends half a document', () => answer('{"_id":"express","name":"express"')],
    ['says "unchanged" without being asked', () => ({ ...answer(''), status: 304 })],
  ])('an origin that %s holds up no answer, and loses no document', async (_what, say) => {
    const { ask, hold, origin, clock } = replica();
    await hold(old);
    origin.say('/express', say);
    for (let i = 0; i < 5; i++) {
      await clock.advance(10 * MINUTE);
      expect((await ask('/npm/express')).status).toBe(200);
      await settled();
      expect(clock.sleeping).toBe(0);
    }
  });

  test('an origin in trouble is left alone for a while, and the answers say so', async () => {
    const { ask, hold, origin, clock, registry } = replica();
    await hold(old);
    origin.say('/express', new HttpError('ERR_FETCH_FAILED', 'reset'));
    await clock.advance(10 * MINUTE);
    for (let i = 0; i < 5; i++) {
      await ask('/npm/express');
      await settled();
    }
    expect(origin.asked()).toBe(1);
    expect((await ask('/npm/express')).headers['cache-status']).toBe(
      '_all_docs; hit; ttl=-300; detail=ERR_FETCH_FAILED',
    );
    await clock.advance(10_000);
    await ask('/npm/express');
    await settled();
    expect(origin.asked()).toBe(2);
    expect(registry.stats().originErrors).toBe(2);
  });

  test('a pause that the origin asks for is kept', async () => {
    const { ask, hold, origin, clock } = replica();
    await hold(old);
    origin.say('/express', answer('{}', { status: 429, headers: { 'retry-after': '120' } }));
    await clock.advance(10 * MINUTE);
    for (let i = 0; i < 12; i++) {
      await ask('/npm/express');
      await settled();
      await clock.advance(10_000);
    }
    expect(origin.asked()).toBe(1);
    await ask('/npm/express');
    expect(origin.asked()).toBe(2);
  });

  test('what a client waits for is bounded; the fetch goes on', async () => {
    const { ask, origin, clock } = replica();
    const gate = Promise.withResolvers<void>();
    origin.say('/express', async () => {
      await gate.promise;
      return answer(JSON.stringify(old));
    });
    const first = ask('/npm/express');
    await settled();
    await clock.advance(MINUTE);
    expect(await first).toMatchObject({ status: 504, json: { code: 'ERR_TIMEOUT' } });
    const second = ask('/npm/express');
    await settled();
    gate.resolve();
    expect((await second).status).toBe(200);
    expect(origin.asked()).toBe(1);
  });
});

describe('an origin in trouble, and nothing held', () => {
  test.each([
    ['500', answer('{}', { status: 500 }), 502, {}],
    ['502', answer('{}', { status: 502 }), 502, {}],
    ['503', answer('{}', { status: 503 }), 503, {}],
    [
      '503 with Retry-After',
      answer('{}', { status: 503, headers: { 'retry-after': '7' } }),
      503,
      { 'retry-after': '7' },
    ],
    ['504', answer('{}', { status: 504 }), 504, {}],
    ['429', answer('{}', { status: 429 }), 503, {}],
    [
      '429 with Retry-After',
      answer('{}', { status: 429, headers: { 'retry-after': '30' } }),
      503,
      { 'retry-after': '30' },
    ],
    ['401', answer('{}', { status: 401 }), 502, {}],
    ['403', answer('{}', { status: 403 }), 502, {}],
    ['a block page as 200', { ...answer('<html>'), headers: { 'content-type': 'text/html' } }, 502, {}],
    [
      'a block page as 404',
      { ...answer('<html>', { status: 404 }), headers: { 'content-type': 'text/html' } },
      502,
      {},
    ],
    ['half a document', answer('{"_id":"express","name":"express"'), 502, {}],
    ['an empty body', answer(''), 502, {}],
    ['an unsolicited 304', { ...answer(''), status: 304 }, 502, {}],
    ['a reset', new HttpError('ERR_FETCH_FAILED', 'reset'), 502, {}],
    ['silence', new HttpError('ERR_TIMEOUT', 'silence'), 504, {}],
    ['a breaker that is open', new HttpError('ERR_ORIGIN_DOWN', 'down'), 503, {}],
    ['a budget that is spent', new HttpError('ERR_BUDGET_EXHAUSTED', 'spent'), 503, {}],
    ['a redirect loop', new HttpError('ERR_TOO_MANY_REDIRECTS', 'loop'), 502, {}],
  ])('%s is a 5xx, never a 404', async (_what, say, status, headers) => {
    const { ask, origin, registry } = replica();
    origin.say('/express', say as never);
    const answered = await ask('/npm/express');
    expect(answered.status).toBe(status);
    expect(answered.json).toEqual({ code: expect.any(String), error: expect.any(String) });
    expect(answered.headers).toMatchObject({ 'cache-control': 'no-store', ...headers });
    expect(registry.stats()).toMatchObject({ failures: 1, originErrors: 1 });
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    expect((await ask('/npm/express')).status).toBe(200);
  });

  test('trouble of our own is a 500 that gives nothing away', async () => {
    const { ask, storage, log } = replica();
    storage.head = () => Promise.reject(Object.assign(new Error('EIO /var/secret/path'), { code: 'ERR_STORAGE_READ' }));
    const { status, text } = await ask('/npm/express');
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
    expect(log.join()).toContain('secret');
  });
});

describe('offline', () => {
  test('what is held is served however old, what is not is a 504 and is listed once; the origin is never asked', async () => {
    const { ask, hold, origin, clock, registry, log } = replica({ options: { offline: true } });
    await hold(documentOf('express'));
    await clock.advance(1_000 * MINUTE);
    expect((await ask('/npm/express')).status).toBe(200);
    for (const target of ['/npm/lodash', '/npm/lodash', '/npm/lodash/latest', '/npm/-/package/lodash/dist-tags']) {
      expect(await ask(target)).toMatchObject({ status: 504, json: { code: 'ERR_OFFLINE' } });
    }
    expect((await ask('/npm/express/9.9.9')).status).toBe(504);
    expect(origin.asked()).toBe(0);
    expect(registry.stats().missing).toEqual(['lodash', 'express']);
    expect(log.filter((line) => line.includes('lodash is missing'))).toHaveLength(1);
  });
});

describe('room', () => {
  const padded = (name: string) =>
    documentOf(name, { '1.0.0': { more: { readme: crypto.getRandomValues(new Uint8Array(3_000)).toString() } } });
  const documents = async (storage: { list(prefix: string): AsyncIterable<string> }) =>
    (await all(storage.list('v1:packument:'))).map((key) =>
      Buffer.from(key.split(':').at(-1) as string, 'hex').toString(),
    );

  test('documents that were pulled through make room, the oldest first; those of a bootstrap stay', async () => {
    const { ask, hold, origin, clock, storage } = replica({ options: { documentBytes: 20_000 } });
    await hold(padded('pinned'));
    for (let i = 0; i < 12; i++) {
      origin.say(`/pulled-${i}`, answer(JSON.stringify(padded(`pulled-${i}`))));
      await clock.advance(1_000);
      expect((await ask(`/npm/pulled-${i}`)).status).toBe(200);
    }
    const held = await documents(storage);
    expect(held).toContain('pinned');
    expect(held).toContain('pulled-11');
    expect(held).not.toContain('pulled-0');
    expect(held.length).toBeGreaterThan(2);
    expect((await ask('/npm/pulled-0')).status).toBe(200);
  });

  test.each([
    ['', false],
    [', also when it was renewed since', true],
  ])('what was pulled through and then brought by a bootstrap stays%s', async (_when, renewed) => {
    const { ask, hold, origin, clock, storage } = replica({ options: { documentBytes: 20_000 } });
    origin.say('/kept', answer(JSON.stringify(padded('kept'))));
    await ask('/npm/kept');
    await clock.advance(1_000);
    await hold(padded('kept'));
    if (renewed) {
      await clock.advance(10 * MINUTE);
      await ask('/npm/kept');
      await settled();
    }
    for (let i = 0; i < 12; i++) {
      origin.say(`/pulled-${i}`, answer(JSON.stringify(padded(`pulled-${i}`))));
      await clock.advance(1_000);
      await ask(`/npm/pulled-${i}`);
    }
    expect(await documents(storage)).toContain('kept');
  });

  test('derived documents are bounded, those of a changed document are replaced, and the account is right', async () => {
    const { ask, hold, storage, clock } = replica({ options: { derivedBytes: 30_000 } });
    const derived = () => all(storage.list('v1:derived:'));
    for (let i = 0; i < 30; i++) {
      await hold(padded(`p${i % 3}`));
      await clock.advance(2_000);
      await ask(`/npm/p${i % 3}`);
    }
    expect(await derived()).toHaveLength(3);
    for (let i = 0; i < 30; i++) {
      await hold(padded(`q${i}`));
      await clock.advance(2_000);
      await ask(`/npm/q${i}`);
    }
    // They are stored behind the answers.
    await settled();
    let bytes = 0;
    for (const key of await derived()) bytes += (await storage.head(key))?.size ?? 0;
    expect(bytes).toBeGreaterThan(5_000);
    expect(bytes).toBeLessThanOrEqual(30_000);
    const rows = new Map(await all(storage.ordered.list()));
    const total = [...rows].find(([key]) => key.includes('derived-ledger') && key.endsWith(':total'))?.[1];
    expect(Number(total)).toBe(bytes);
  });
});

describe('a disk that cannot be written to', () => {
  const full = () => Promise.reject(new CacheError('ERR_DISK_FULL', 'no room'));

  test('costs time, not answers: what is fetched, derived or absent is answered all the same', async () => {
    const { ask, hold, storage, origin, registry, clock } = replica();
    await hold(documentOf('held'));
    storage.write = full;
    storage.touch = full;
    storage.ordered.commit = full;
    origin.say('/express', answer(JSON.stringify(documentOf('express')), { headers: { etag: '"1"' } }));
    origin.say('/-/npm/v1/keys', answer('{"keys":[]}'));
    for (let i = 0; i < 2; i++) {
      expect((await ask('/npm/held', { headers: { accept: ABBREVIATED } })).status).toBe(200);
      expect((await ask('/npm/express')).json.name).toBe('express');
      expect((await ask('/npm/express', { headers: { accept: ABBREVIATED } })).status).toBe(200);
      expect((await ask('/npm/-/npm/v1/keys')).text).toBe('{"keys":[]}');
      expect((await ask('/npm/nope')).status).toBe(404);
    }
    expect([origin.asked('/express'), origin.asked('/-/npm/v1/keys'), origin.asked('/nope')]).toEqual([1, 1, 1]);
    expect(registry.stats().cacheErrors).toBeGreaterThan(0);
    await clock.advance(10 * MINUTE);
    await ask('/npm/express');
    await settled();
    expect((await ask('/npm/express')).headers['cache-status']).toBe('_all_docs; hit; ttl=300');
    expect(origin.asked('/express')).toBe(2);
  });

  test('is written to again when it can be', async () => {
    const { ask, storage, origin, registry, clock } = replica();
    const { write, touch } = storage;
    storage.write = full;
    storage.touch = full;
    origin.say('/express', answer(JSON.stringify(documentOf('express')), { headers: { etag: '"1"' } }));
    await ask('/npm/express');
    expect(await all(storage.list('v1:packument:'))).toEqual([]);
    storage.write = write;
    storage.touch = touch;
    await clock.advance(10 * MINUTE);
    await ask('/npm/express');
    await registry.close();
    expect(await all(storage.list('v1:packument:'))).toHaveLength(1);
    expect((await ask('/npm/express')).headers['cache-status']).toBe('_all_docs; hit; ttl=300');
  });

  test('does not hide what somebody else stored meanwhile', async () => {
    const { ask, hold, storage, origin, clock } = replica();
    const { write } = storage;
    storage.write = full;
    origin.say('/express', answer(JSON.stringify(documentOf('express'))));
    await ask('/npm/express');
    storage.write = write;
    await clock.advance(2_000);
    await hold(documentOf('express', { '2.0.0': {} }));
    expect(Object.keys((await ask('/npm/express')).json.versions)).toEqual(['2.0.0']);
  });

  test('what was derived and cannot be read is made again', async () => {
    const { ask, hold, storage, clock, registry } = replica();
    await hold(documentOf('express'));
    await ask('/npm/express');
    const again = replica({ storage, clock });
    const { read } = storage;
    storage.read = (key) =>
      key.startsWith('v1:derived:')
        ? Promise.reject(new CacheError('ERR_CORRUPT', 'damaged'))
        : read.call(storage, key);
    expect((await again.ask('/npm/express')).status).toBe(200);
    expect([registry.stats().cacheErrors, again.registry.stats().cacheErrors]).toEqual([0, 1]);
  });
});

test('two processes that ask at once end with the same document and one account of it', async () => {
  const origin = new Origin();
  const first = replica({ origin });
  const second = replica({ origin, storage: first.storage, clock: first.clock });
  origin.say('/express', answer(JSON.stringify(documentOf('express'))));
  const answers = await Promise.all([first.ask('/npm/express'), second.ask('/npm/express')]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(answers[0]?.headers['etag']).toBe(answers[1]?.headers['etag']);
  const rows = await all(first.storage.ordered.list());
  expect(rows.filter(([key]) => key.startsWith('v1:pulled:') && key.includes(':entry:'))).toHaveLength(1);
});
