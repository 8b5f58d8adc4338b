import { HttpError } from '@_all_docs/http';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { all, answer, replica, settled } from './_replica.ts';

const KEYS = '{"keys":[{"keyid":"SHA256:abc","key":"MFk"}]}';
const DAY = 24 * 3_600_000;

describe('keys and attestations', () => {
  test.each([
    ['/npm/-/npm/v1/keys', '/-/npm/v1/keys'],
    ['/npm/-/npm/v1/attestations/sigstore@1.0.0', '/-/npm/v1/attestations/sigstore@1.0.0'],
    ['/-/npm/v1/attestations/@s%2fn@1.0.0', '/-/npm/v1/attestations/@s%2fn@1.0.0'],
    ['/npm/-/npm/v1/attestations/@s%2fn@1.0.0', '/-/npm/v1/attestations/@s%2fn@1.0.0'],
    ['/npm/-/npm/v1/attestations/@s/n@1.0.0', '/-/npm/v1/attestations/@s%2fn@1.0.0'],
    ['/npm/-/npm/v1/attestations/@s%2Fn@1.0.0+b', '/-/npm/v1/attestations/@s%2fn@1.0.0%2Bb'],
  ])('%s is asked for once, and kept, also for when the origin is gone', async (target, path) => {
    const { ask, origin, storage, clock } = replica();
    origin.say(path, answer(KEYS));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(target, { headers: { 'accept-encoding': 'gzip' } })),
    );
    for (const { status, text } of answers) expect([status, text]).toEqual([200, KEYS]);
    expect(origin.asked(path)).toBe(1);
    const offline = replica({ storage, clock, options: { offline: true } });
    const plain = await offline.ask(target);
    expect(plain).toMatchObject({ status: 200, text: KEYS });
    expect(plain.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': String(KEYS.length) });
    const known = await offline.ask(target, { headers: { 'if-none-match': plain.headers['etag'] as string } });
    expect(known.status).toBe(304);
    expect(origin.asked()).toBe(1);
  });

  test('old ones are sent at once and renewed behind; trouble leaves them as they are', async () => {
    const { ask, origin, clock, registry } = replica();
    origin.say('/-/npm/v1/keys', answer(KEYS));
    await ask('/npm/-/npm/v1/keys');
    await clock.advance(DAY + 1);
    origin.say('/-/npm/v1/keys', new HttpError('ERR_FETCH_FAILED', 'reset'));
    for (let i = 0; i < 3; i++) {
      expect((await ask('/npm/-/npm/v1/keys')).text).toBe(KEYS);
      await settled();
    }
    expect(origin.asked()).toBe(2);
    await clock.advance(10_000);
    origin.say('/-/npm/v1/keys', answer('{"keys":[]}'));
    expect((await ask('/npm/-/npm/v1/keys')).text).toBe(KEYS);
    await registry.close();
    expect((await ask('/npm/-/npm/v1/keys')).text).toBe('{"keys":[]}');
  });

  test.each([400, 404])(
    'a %i, which says that this registry does not sign, is passed on and repeated for a minute',
    async (status) => {
      const { ask, origin, clock } = replica();
      origin.say('/-/npm/v1/keys', answer('{"error":"no"}', { status }));
      for (let i = 0; i < 3; i++) {
        expect(await ask('/npm/-/npm/v1/keys')).toMatchObject({ status, json: { error: expect.any(String) } });
      }
      expect(origin.asked()).toBe(1);
      await clock.advance(60_000);
      await ask('/npm/-/npm/v1/keys');
      expect(origin.asked()).toBe(2);
    },
  );

  test.each([
    ['500', answer('{}', { status: 500 }), 502],
    ['503 with Retry-After', answer('{}', { status: 503, headers: { 'retry-after': '9' } }), 503],
    ['200 that is no JSON', answer('<keys>'), 502],
    ['a block page', { ...answer('<html>'), headers: { 'content-type': 'text/html' } }, 502],
  ])('an origin that answers %s is a 5xx, and nothing is kept', async (_what, say, status) => {
    const { ask, origin, storage } = replica();
    origin.say('/-/npm/v1/keys', say);
    expect((await ask('/npm/-/npm/v1/keys')).status).toBe(status);
    expect(await all(storage.list('v1:resource:'))).toEqual([]);
  });

  test('what is not held offline is a 504 and is listed', async () => {
    const { ask, registry } = replica({ options: { offline: true } });
    expect((await ask('/npm/-/npm/v1/keys')).status).toBe(504);
    expect(registry.stats().missing).toEqual(['/-/npm/v1/keys']);
  });
});

describe('advisories', () => {
  const question = gzipSync('{"express":["4.0.0"]}');
  const target = '/npm/-/npm/v1/security/advisories/bulk';
  const headers = {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    authorization: 'Bearer secret',
    cookie: 'a=b',
  };

  test('the question goes to the origin as it came, the answer back; no secret with it, and nothing is kept', async () => {
    const { ask, origin } = replica();
    origin.say('/-/npm/v1/security/advisories/bulk', answer('{"express":[{"id":1}]}'));
    for (const coding of ['gzip', 'identity']) {
      const answered = await ask(target, {
        method: 'POST',
        headers: { ...headers, 'accept-encoding': coding },
        body: question,
      });
      expect(answered).toMatchObject({ status: 200, json: { express: [{ id: 1 }] } });
      expect(answered.headers['content-encoding']).toBe(coding === 'gzip' ? 'gzip' : undefined);
      expect(answered.headers['cache-control']).toBe('no-store');
    }
    const [asked] = origin.requests;
    expect(origin.asked()).toBe(2);
    expect(asked?.method).toBe('POST');
    expect(Buffer.from(asked?.body ?? [])).toEqual(question);
    expect(asked?.headers).toEqual({
      accept: 'application/json',
      'accept-encoding': 'gzip',
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
  });

  test.each([
    [400, 400],
    [404, 404],
    [500, 502],
    [503, 503],
  ])('a %i of the origin is a %i', async (said, status) => {
    const { ask, origin } = replica();
    origin.say('/-/npm/v1/security/advisories/bulk', answer('{"error":"x"}', { status: said }));
    expect((await ask(target, { method: 'POST', body: question })).status).toBe(status);
  });

  test('a body that is too large is refused unread', async () => {
    const { ask, origin, registry } = replica();
    const announced = { 'content-length': '99999999' };
    expect((await ask(target, { method: 'POST', headers: announced, body: question })).status).toBe(413);
    let given = 0;
    const endless = new ReadableStream({
      pull(controller) {
        given += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const request = new Request('http://replica.test/', {
      method: 'POST',
      body: endless,
      duplex: 'half',
    } as RequestInit);
    expect((await registry.handle(request, target)).status).toBe(413);
    expect(given).toBeLessThan(5_000_000);
    expect(origin.asked()).toBe(0);
  });

  test('offline they cannot be asked for', async () => {
    const { ask, origin } = replica({ options: { offline: true } });
    expect((await ask(target, { method: 'POST', body: question })).status).toBe(504);
    expect(origin.asked()).toBe(0);
  });

  test('an origin that hangs is a 504 in the end', async () => {
    const { ask, origin, clock } = replica();
    origin.say('/-/npm/v1/security/advisories/bulk', () => new Promise<never>(() => {}));
    const asked = ask(target, { method: 'POST', body: question });
    await settled();
    await clock.advance(60_000);
    expect((await asked).status).toBe(504);
  });
});
