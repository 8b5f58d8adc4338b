import { describe, expect, test } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { edge } from './_edge.ts';
import { all, answer, blob, documentOf, sri } from './_replica.ts';

const BYTES = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251);
const OTHER = BYTES.map((byte) => byte ^ 1);
const PATH = '/@s/n/-/n-1.0.0.tgz';
const TARGET = `/npm${PATH}`;

function scene(options = {}, more: object = {}) {
  const it = edge({ options, ...more });
  it.origin.say('/@s%2fn', answer(JSON.stringify(documentOf('@s/n', { '1.0.0': { tarball: BYTES } }))));
  it.origin.say(PATH, blob(BYTES));
  return it;
}

/** A document whose version is described so. */
function saying(dist: object) {
  const it = edge();
  const document = documentOf('@s/n');
  Object.assign(document.versions['1.0.0']?.dist ?? {}, dist);
  it.origin.say('/@s%2fn', answer(JSON.stringify(document)));
  it.origin.say(PATH, blob(BYTES));
  return it;
}

describe('a tarball', () => {
  test('is fetched once, checked, kept, and then found by its row alone', async () => {
    const { ask, origin, storage, blobs } = scene();
    for (const target of [TARGET, TARGET, '/npm/@s%2fn/-/n-1.0.0.tgz', PATH]) {
      storage.take();
      const { status, headers, body } = await ask(target);
      expect([status, headers['etag'], headers['content-type']]).toEqual([
        200,
        `"${sri(BYTES)}"`,
        'application/octet-stream',
      ]);
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(body).toEqual(Buffer.from(BYTES));
    }
    expect(storage.take()).toEqual(['read']);
    expect(origin.asked(PATH)).toBe(1);
    expect(await collect(blobs.list('blobs/sha512/'))).toHaveLength(1);
  });

  test('that is kept has Range, HEAD and 304', async () => {
    const { ask } = scene();
    await ask(TARGET);
    const part = await ask(TARGET, { headers: { range: 'bytes=10-19' } });
    expect([part.status, part.headers['content-range'], [...part.body]]).toEqual([
      206,
      'bytes 10-19/1000',
      [...BYTES.subarray(10, 20)],
    ]);
    expect(await ask(TARGET, { headers: { range: 'bytes=1000-' } })).toMatchObject({ status: 416 });
    const head = await ask(TARGET, { method: 'HEAD' });
    expect([head.status, head.body.length, head.headers['content-length']]).toEqual([200, 0, '1000']);
    const known = { 'if-none-match': head.headers['etag'] as string };
    expect((await ask(TARGET, { headers: known })).status).toBe(304);
  });

  test('is not fetched for a HEAD, nor for somebody who holds it', async () => {
    const { ask, origin } = scene();
    expect((await ask(TARGET, { method: 'HEAD' })).status).toBe(200);
    expect((await ask(TARGET, { headers: { 'if-none-match': `"${sri(BYTES)}"` } })).status).toBe(304);
    expect(origin.asked(PATH)).toBe(0);
  });

  test('of a document that only has a SHA-1 is checked by that, and kept under its SHA-512', async () => {
    const it = saying({ shasum: 'a9993e364706816aba3e25717850c26c9cd0d89d' });
    it.origin.say(PATH, blob(Buffer.from('abc')));
    expect((await it.ask(TARGET)).text).toBe('abc');
    expect((await it.ask(TARGET)).text).toBe('abc');
    expect(it.origin.asked(PATH)).toBe(1);
    expect(await collect(it.blobs.list('blobs/sha512/dd/ddaf35a1'))).toHaveLength(1);
  });

  test('that is not what its document says cuts the client, is not kept, and is fetched once more', async () => {
    const { ask, origin, storage, blobs } = scene();
    origin.say(PATH, blob(OTHER));
    await expect(ask(TARGET)).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(
      origin.requests.filter(({ url }) => url.endsWith('.tgz')).map(({ headers }) => headers?.['cache-control']),
    ).toEqual([undefined, 'no-cache']);
    expect(await all(storage.list('v1:version:'))).toEqual([]);
    expect(await collect(blobs.list(''))).toEqual([]);
  });

  test('whose length is not the announced one cuts the client and is not kept', async () => {
    const { ask, origin, blobs } = scene();
    origin.say(PATH, { ...blob(BYTES), headers: { 'content-length': '1001' } });
    await expect(ask(TARGET)).rejects.toThrow();
    expect(await collect(blobs.list(''))).toEqual([]);
  });

  test('is kept to its end when the client leaves', async () => {
    const { registry, idle, blobs } = scene();
    const response = await registry.handle(new Request(`http://replica.test${TARGET}`));
    await response.body?.cancel();
    await idle();
    expect(await collect(blobs.list(''))).toHaveLength(1);
  });

  test('reaches the client when it cannot be kept', async () => {
    const it = scene();
    it.blobs.write = () => Promise.reject(new Error('full'));
    for (let i = 0; i < 2; i++) expect((await it.ask(TARGET)).body).toEqual(Buffer.from(BYTES));
    expect(it.origin.asked(PATH)).toBe(2);
    expect(await all(it.storage.list('v1:version:'))).toEqual([]);
  });

  test('whose blob is gone is fetched again', async () => {
    const { ask, blobs, origin } = scene();
    await ask(TARGET);
    for (const path of await collect(blobs.list(''))) await blobs.delete(path);
    expect((await ask(TARGET, { headers: { range: 'bytes=0-1' } })).status).toBe(503);
    expect((await ask(TARGET)).body).toEqual(Buffer.from(BYTES));
    expect(origin.asked(PATH)).toBe(2);
  });

  test.each(['/npm/@s/n/-/n-2.0.0.tgz', '/npm/@s/n/-/m-1.0.0.tgz', '/@s/n/-/__proto__.tgz'])(
    '%s is no version’s: a 404, and no request for it',
    async (target) => {
      const { ask, origin } = scene();
      expect(await ask(target)).toMatchObject({ status: 404, json: { error: 'Not found' } });
      expect(origin.asked()).toBe(1);
    },
  );

  test('that the origin does not have is a 404, and its trouble is a 502', async () => {
    const { ask, origin } = scene();
    origin.say(PATH, answer('{}', { status: 404 }));
    expect((await ask(TARGET)).status).toBe(404);
    origin.say(PATH, answer('{}', { status: 500 }));
    expect((await ask(TARGET)).status).toBe(502);
  });

  test.each(['http://169.254.169.254/latest', 'https://registry.example.test@evil.test/x.tgz', 'file:///etc/passwd'])(
    'is not fetched from %s',
    async (tarball) => {
      const { ask, origin } = saying({ tarball: `${tarball}/n-1.0.0.tgz` });
      const { status, json } = await ask(TARGET);
      expect([status, json.code]).toEqual([502, 'ERR_FORBIDDEN_HOST']);
      expect(origin.asked()).toBe(1);
    },
  );

  test('of a version that was removed is refused from the moment at which the feed said that the package changed', async () => {
    let goneAt = 0;
    const removals = { isRemoved: (_: string, storedAt: number) => storedAt < goneAt };
    const { ask, origin, clock } = scene({}, { env: { removals } });
    expect((await ask(TARGET)).status).toBe(200);
    await clock.advance(1_000);
    goneAt = clock.now();
    origin.say('/@s%2fn?write=true', answer(JSON.stringify(documentOf('@s/n', { '2.0.0': {} }))));
    expect((await ask(TARGET)).status).toBe(404);
    expect((await ask(TARGET)).status).toBe(404);
  });

  test('of a version that is still there after a change is sent from the store', async () => {
    let goneAt = 0;
    const removals = { isRemoved: (_: string, storedAt: number) => storedAt < goneAt };
    const { ask, origin, clock, storage } = scene({}, { env: { removals } });
    await ask(TARGET);
    await clock.advance(1_000);
    goneAt = clock.now();
    const document = documentOf('@s/n', { '1.0.0': { tarball: BYTES }, '2.0.0': {} });
    origin.say('/@s%2fn?write=true', answer(JSON.stringify(document)));
    expect((await ask(TARGET)).body).toEqual(Buffer.from(BYTES));
    storage.take();
    expect((await ask(TARGET)).body).toEqual(Buffer.from(BYTES));
    expect(storage.take()).toEqual(['read']);
    expect(origin.asked(PATH)).toBe(1);
  });

  test('where no feed is followed, a version that its document does not list any more goes behind the answer', async () => {
    const { ask, origin, clock } = scene();
    await ask(TARGET);
    origin.say('/@s%2fn', answer(JSON.stringify(documentOf('@s/n', { '2.0.0': {} }))));
    await clock.advance(6 * 60_000);
    expect((await ask(TARGET)).status).toBe(200);
    await clock.advance(11_000);
    await ask(TARGET);
    expect((await ask(TARGET)).status).toBe(404);
  });

  test('of a document too large to be parsed is found by its version', async () => {
    const it = edge();
    const document = documentOf('@s/n', { '1.0.0': { tarball: BYTES } }, { readme: 'x'.repeat(17 * 1024 * 1024) });
    it.origin.say('/@s%2fn', answer(JSON.stringify(document)));
    it.origin.say('/@s%2fn/1.0.0', answer(JSON.stringify(document.versions['1.0.0'])));
    it.origin.say(PATH, blob(BYTES));
    expect((await it.ask(TARGET)).body).toEqual(Buffer.from(BYTES));
  });
});
