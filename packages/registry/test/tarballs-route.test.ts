import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blob, documentOf, replica, sri } from './_replica.ts';

const BYTES = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251);
const PATH = '/@s/n/-/n-1.0.0.tgz';

async function withTarball(options = {}) {
  const it = replica({ options });
  await it.hold(documentOf('@s/n', { '1.0.0': { tarball: BYTES } }));
  it.origin.say(PATH, blob(BYTES));
  return it;
}

describe('tarballs', () => {
  test.each([`/npm${PATH}`, '/npm/@s%2fn/-/n-1.0.0.tgz', '/npm/%40s%2Fn/-/n-1.0.0.tgz', PATH, '/@s%2fn/-/n-1.0.0.tgz'])(
    '%s is the tarball, below the prefix and at the root',
    async (target) => {
      const { ask, origin } = await withTarball();
      for (let i = 0; i < 2; i++) {
        const { status, headers, body } = await ask(target);
        expect(status).toBe(200);
        expect(body).toEqual(Buffer.from(BYTES));
        expect(headers).toMatchObject({
          'content-type': 'application/octet-stream',
          'content-length': '1000',
          'accept-ranges': 'bytes',
          'cache-control': 'public, max-age=31536000, immutable',
          etag: `"${sri(BYTES)}"`,
        });
        expect(headers['content-encoding']).toBeUndefined();
      }
      expect(origin.asked(PATH)).toBe(1);
    },
  );

  test('HEAD says what GET says', async () => {
    const { ask } = await withTarball();
    const head = await ask(`/npm${PATH}`, { method: 'HEAD' });
    const get = await ask(`/npm${PATH}`);
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers).toEqual(get.headers);
  });

  test('a client that has it is told so', async () => {
    const { ask } = await withTarball();
    const { headers } = await ask(`/npm${PATH}`);
    expect((await ask(`/npm${PATH}`, { headers: { 'if-none-match': headers['etag'] as string } })).status).toBe(304);
  });

  test.each(['/npm/@s/n/-/n-2.0.0.tgz', '/npm/@s/n/-/m-1.0.0.tgz', '/@s/n/-/__proto__.tgz'])(
    '%s is no version’s: a 404, and no request for it',
    async (target) => {
      const { ask, origin } = await withTarball();
      expect(await ask(target)).toMatchObject({ status: 404, json: { error: 'Not found' } });
      expect(origin.asked()).toBe(0);
    },
  );

  test('a tarball of a version that is newer than the held document is found after renewing that', async () => {
    const { ask, origin, clock } = await withTarball();
    const { answer } = await import('./_replica.ts');
    const newer = documentOf('@s/n', { '1.0.0': { tarball: BYTES }, '1.1.0': { tarball: BYTES } });
    origin.say('/@s%2fn', answer(JSON.stringify(newer)));
    origin.say('/@s/n/-/n-1.1.0.tgz', blob(BYTES));
    await clock.advance(600_000);
    expect((await ask('/npm/@s/n/-/n-1.1.0.tgz')).status).toBe(200);
  });

  test('a tarball whose name does not follow the rule is found, and the one that does follow it wins the name', async () => {
    const { ask, hold, origin } = replica();
    const dist = (file: string, tarball: Uint8Array) => ({
      more: { dist: { tarball: `https://registry.example.test/odd/-/${file}`, integrity: sri(tarball) } },
    });
    const other = Uint8Array.of(1, 2, 3);
    const versions = {
      '0.9.0': dist('odd-1.0.0.tgz', other),
      '1.0.0': dist('odd-1.0.0.tgz', BYTES),
      '1.0.2-beta': dist('odd-1.0.2beta.tgz', other),
    };
    await hold(documentOf('odd', versions));
    origin.say('/odd/-/odd-1.0.0.tgz', blob(BYTES));
    origin.say('/odd/-/odd-1.0.2beta.tgz', blob(other));
    for (let i = 0; i < 2; i++) {
      expect((await ask('/npm/odd/-/odd-1.0.0.tgz')).body).toEqual(Buffer.from(BYTES));
      expect((await ask('/npm/odd/-/odd-1.0.2beta.tgz')).body).toEqual(Buffer.from(other));
    }
  });

  test('a removed version’s tarball is no longer served, though it was kept', async () => {
    const { ask, hold } = await withTarball();
    expect((await ask(`/npm${PATH}`)).status).toBe(200);
    await hold(documentOf('@s/n', { '1.1.0': { tarball: BYTES } }));
    expect((await ask(`/npm${PATH}`)).status).toBe(404);
  });

  test('a tarball at an address that is not the registry’s is never asked for', async () => {
    const { ask, hold, origin } = replica();
    for (const tarball of ['http://169.254.169.254/latest/x.tgz', 'http://127.0.0.1:6379/x.tgz', 'file:///etc/x.tgz']) {
      await hold(documentOf('evil', { '1.0.0': { more: { dist: { tarball, shasum: 'a'.repeat(40) } } } }));
      const { status, json } = await ask('/npm/evil/-/x.tgz');
      expect([status, json.code]).toEqual([502, 'ERR_FORBIDDEN_HOST']);
    }
    expect(origin.asked()).toBe(0);
  });

  test('the document is not read again and again for the tarballs of a package', async () => {
    const versions = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`1.${i}.0`, { tarball: BYTES }]));
    const { ask, hold, origin, registry } = replica();
    await hold(documentOf('many', versions));
    for (const version of Object.keys(versions)) {
      origin.say(`/many/-/many-${version}.tgz`, blob(BYTES));
      expect((await ask(`/npm/many/-/many-${version}.tgz`)).status).toBe(200);
    }
    // Three looks for one version each, then one for all.
    expect(registry.stats().derived).toBe(4);
  });

  test('offline, what is not kept is a 504', async () => {
    const { ask, origin } = await withTarball({ offline: true });
    expect((await ask(`/npm${PATH}`)).status).toBe(504);
    expect((await ask('/npm/nope/-/nope-1.0.0.tgz')).status).toBe(504);
    expect(origin.asked()).toBe(0);
  });
});

describe('ranges', () => {
  test.each([
    ['bytes=0-99', 0, 99],
    ['bytes=0-0', 0, 0],
    ['bytes=999-999', 999, 999],
    ['bytes=500-', 500, 999],
    ['bytes=0-', 0, 999],
    ['bytes=990-5000', 990, 999],
    ['bytes=-1', 999, 999],
    ['bytes=-100', 900, 999],
    ['bytes=-5000', 0, 999],
    ['BYTES=1-2', 1, 2],
  ])('%s gives %i to %i', async (range, first, last) => {
    const { ask } = await withTarball();
    // From the origin, and then from the store.
    for (let i = 0; i < 2; i++) {
      const { status, headers, body } = await ask(`/npm${PATH}`, { headers: { range } });
      expect(status).toBe(206);
      expect(headers['content-range']).toBe(`bytes ${first}-${last}/1000`);
      expect(headers['content-length']).toBe(String(last - first + 1));
      expect(body).toEqual(Buffer.from(BYTES.subarray(first, last + 1)));
    }
  });

  test.each(['bytes=1000-', 'bytes=1000-2000', 'bytes=99999999999999999999-', 'bytes=-0'])(
    '%s is a 416 that says how long it is',
    async (range) => {
      const { ask } = await withTarball();
      const { status, headers, json } = await ask(`/npm${PATH}`, { headers: { range } });
      expect(status).toBe(416);
      expect(headers['content-range']).toBe('bytes */1000');
      expect(json.error).toEqual(expect.any(String));
    },
  );

  test.each([
    'bytes=5-1',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'items=0-1',
    '0-1',
    'bytes=0-1,5-9',
    `bytes=${'0-,'.repeat(1_000)}`,
    'bytes=1.5-2',
    'bytes=--1',
  ])('%s is left out: the whole comes', async (range) => {
    const { ask } = await withTarball();
    const { status, body } = await ask(`/npm${PATH}`, { headers: { range } });
    expect([status, body.length]).toEqual([200, 1_000]);
  });

  test('If-Range gives the range only of the very tarball that it names', async () => {
    const { ask } = await withTarball();
    const { headers } = await ask(`/npm${PATH}`);
    const etag = headers['etag'] as string;
    const status = async (ifRange: string) =>
      (await ask(`/npm${PATH}`, { headers: { range: 'bytes=0-9', 'if-range': ifRange } })).status;
    expect(await status(etag)).toBe(206);
    expect(await status(`W/${etag}`)).toBe(200);
    expect(await status('"other"')).toBe(200);
    expect(await status('Thu, 02 Jan 2025 03:04:05 GMT')).toBe(200);
  });

  test('whatever the range says, what comes is a part of the tarball, or all of it', async () => {
    const { ask } = await withTarball();
    const number = fc.oneof(fc.nat(1_200), fc.constant(''), fc.constant(2 ** 60));
    const range = fc.oneof(
      fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
      fc.string().map((text) => `bytes=${text.replace(/[^\x20-\x7e]/g, '')}`),
    );
    await fc.assert(
      fc.asyncProperty(range, async (header) => {
        const { status, headers, body } = await ask(`/npm${PATH}`, { headers: { range: header } });
        expect([200, 206, 416]).toContain(status);
        if (status === 200) expect(body).toEqual(Buffer.from(BYTES));
        if (status !== 206) return;
        const [, first, last] = /^bytes (\d+)-(\d+)\/1000$/.exec(headers['content-range'] as string) ?? [];
        expect(body.length).toBeGreaterThan(0);
        expect(body).toEqual(Buffer.from(BYTES.subarray(Number(first), Number(last) + 1)));
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
