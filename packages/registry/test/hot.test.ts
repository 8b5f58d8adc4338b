import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ABBREVIATED, type Ask, all, answer, documentOf, FULL, replica, settled } from './_replica.ts';

const GZIP = { 'accept-encoding': 'gzip' };
const MINUTE = 60_000;

/** The answer of `hot` in the shape of that of `handle`. */
function seen(it: ReturnType<typeof replica>, target: string, request: Ask = {}) {
  const answered = it.hot(target, request);
  if (!answered) return undefined;
  const { status, headers, body } = answered;
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] as string, headers[i + 1] as string]);
  return { status, headers: Object.fromEntries(pairs), body: Buffer.from(body ?? []) };
}

test('nothing is hot that was not asked for', () => {
  expect(replica().hot('/npm/express')).toBeUndefined();
});

test('what was sent is hot under that very target, in that form, coding and base alone', async () => {
  const it = replica();
  await it.hold(documentOf('@s/n'));
  await it.ask('/npm/@s%2fn', { headers: GZIP });
  expect(it.hot('/npm/@s%2fn', { headers: GZIP })?.status).toBe(200);
  expect(it.hot('/npm/@s%2fn', { method: 'HEAD', headers: GZIP })).toMatchObject({ status: 200, body: undefined });
  expect(it.hot('/npm/@s%2Fn', { headers: GZIP })).toBeUndefined();
  expect(it.hot('/npm/@s%2fn', { headers: {} })).toBeUndefined();
  expect(it.hot('/npm/@s%2fn', { headers: { ...GZIP, accept: ABBREVIATED } })).toBeUndefined();
  expect(it.hot('/npm/@s%2fn', { headers: { ...GZIP, host: 'other.test' } })).toBeUndefined();
  expect(it.hot('/npm/@s%2fn', { headers: { ...GZIP, host: 'not a host' } })).toBeUndefined();
  expect(it.hot('/npm/@s%2fn', { method: 'PUT', headers: GZIP })).toBeUndefined();
  expect(it.hot('/npm/@s%2fn', { method: 'POST', headers: GZIP })).toBeUndefined();
});

test('the same answer object is given again: nothing is made for a hit', async () => {
  const it = replica();
  await it.hold(documentOf('express'));
  await it.ask('/npm/express', { headers: GZIP });
  expect(it.hot('/npm/express', { headers: GZIP })).toBe(it.hot('/npm/express', { headers: GZIP }));
});

test('it is relied on for a second after each look at the index, and no longer', async () => {
  const it = replica();
  await it.hold(documentOf('express'));
  await it.ask('/npm/express', { headers: GZIP });
  await it.clock.advance(999);
  expect(it.hot('/npm/express', { headers: GZIP })).toBeDefined();
  await it.clock.advance(1);
  expect(it.hot('/npm/express', { headers: GZIP })).toBeUndefined();
  it.storage.read = () => Promise.reject(new Error('the store was asked'));
  expect((await it.ask('/npm/express', { headers: GZIP })).status).toBe(200);
  expect(it.hot('/npm/express', { headers: GZIP })).toBeDefined();
});

describe('within a second', () => {
  test('another document is what is hot', async () => {
    const it = replica();
    await it.hold(documentOf('express'));
    const before = await it.ask('/npm/express', { headers: GZIP });
    await it.hold(documentOf('express', { '2.0.0': {} }));
    await it.clock.advance(1_000);
    const after = await it.ask('/npm/express', { headers: GZIP });
    expect(after.headers['etag']).not.toBe(before.headers['etag']);
    expect(seen(it, '/npm/express', { headers: GZIP })?.body).toEqual(after.body);
    const stale = { headers: { ...GZIP, 'if-none-match': before.headers['etag'] as string } };
    expect(seen(it, '/npm/express', stale)?.status).toBe(200);
  });

  test('another form of an older document is not hot when one form is asked for anew', async () => {
    const it = replica();
    await it.hold(documentOf('express'));
    await it.ask('/npm/express', { headers: { ...GZIP, accept: ABBREVIATED } });
    await it.hold(documentOf('express', { '2.0.0': {} }));
    await it.clock.advance(1_000);
    await it.ask('/npm/express', { headers: GZIP });
    expect(it.hot('/npm/express', { headers: { ...GZIP, accept: ABBREVIATED } })).toBeUndefined();
  });

  test('an older document is not hot under one spelling when another is asked for anew', async () => {
    const it = replica();
    await it.hold(documentOf('@s/n'));
    const before = await it.ask('/npm/@s%2fn', { headers: GZIP });
    await it.ask('/npm/@s/n', { headers: GZIP });
    await it.hold(documentOf('@s/n', { '2.0.0': {} }));
    await it.clock.advance(1_000);
    await it.ask('/npm/@s/n', { headers: GZIP });
    expect(it.hot('/npm/@s/n', { headers: GZIP })).toBeDefined();
    expect(it.hot('/npm/@s%2fn', { headers: GZIP })).toBeUndefined();
    const known = { ...GZIP, 'if-none-match': before.headers['etag'] as string };
    expect(it.hot('/npm/@s%2fn', { headers: known })).toBeUndefined();
  });

  test('a removed document is no longer hot, under any of its spellings', async () => {
    const it = replica();
    await it.hold(documentOf('@s/n'));
    for (const target of ['/npm/@s%2fn', '/npm/@s/n']) await it.ask(target, { headers: GZIP });
    const [key] = await all(it.storage.list('v1:packument:'));
    await it.storage.delete(key as string);
    await it.clock.advance(1_000);
    expect((await it.ask('/npm/@s%2fn', { headers: GZIP })).status).toBe(404);
    for (const target of ['/npm/@s%2fn', '/npm/@s/n']) expect(it.hot(target, { headers: GZIP })).toBeUndefined();
  });
});

test('old documents stay hot while an origin in trouble cannot renew them', async () => {
  const it = replica();
  await it.hold(documentOf('express'));
  it.origin.say('/express', () => new Promise<never>(() => {}));
  await it.clock.advance(10 * MINUTE);
  await it.ask('/npm/express', { headers: GZIP });
  expect(seen(it, '/npm/express', { headers: GZIP })?.headers['cache-status']).toBe('_all_docs; hit; ttl=-300');
});

test('memory is bounded: what was sent longest ago is no longer hot, and what is too large never is, but for its 304', async () => {
  const it = replica({ options: { hotBytes: 100_000 } });
  const noise = (bytes: number) => ({
    readme: Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('base64'),
  });
  for (let i = 0; i < 30; i++) {
    await it.hold(documentOf(`p${i}`, {}, noise(8_000)));
    await it.ask(`/npm/p${i}`, { headers: GZIP });
  }
  const hot = Array.from({ length: 30 }, (_, i) => it.hot(`/npm/p${i}`, { headers: GZIP })?.status);
  expect(hot[0]).toBeUndefined();
  expect(hot[29]).toBe(200);
  expect(hot.filter((status) => status === 200).length).toBeLessThan(13);
  await it.hold(documentOf('large', {}, noise(40_000)));
  const { headers, status } = await it.ask('/npm/large', { headers: GZIP });
  expect(status).toBe(200);
  expect(it.hot('/npm/large', { headers: GZIP })).toBeUndefined();
  const known = { ...GZIP, 'if-none-match': headers['etag'] as string };
  expect(it.hot('/npm/large', { headers: known })?.status).toBe(304);
  expect((await it.ask('/npm/large', { headers: GZIP })).status).toBe(200);
});

test('targets with a query are not kept: anybody could make any number of them', async () => {
  const it = replica();
  await it.hold(documentOf('express'));
  await it.ask('/npm/express?write=true', { headers: GZIP });
  expect(it.hot('/npm/express?write=true', { headers: GZIP })).toBeUndefined();
});

test('hits from memory are counted', async () => {
  const it = replica();
  await it.hold(documentOf('express'));
  const { headers } = await it.ask('/npm/express', { headers: GZIP });
  it.hot('/npm/express', { headers: GZIP });
  it.hot('/npm/express', { headers: { ...GZIP, 'if-none-match': headers['etag'] as string } });
  expect(it.registry.stats()).toMatchObject({ hits: 3, hot: 2, notModified: 1 });
});

test('whatever is asked, hot gives what handle gives, or nothing', async () => {
  const targets = [
    '/npm/express',
    '/npm/@s%2fn',
    '/npm/@s/n',
    '/npm/express/latest',
    '/npm/express/1.0.0',
    '/npm/-/package/express/dist-tags',
    '/npm/nope',
    '/npm/express/9.9.9',
  ];
  const request = fc.record({
    target: fc.constantFrom(...targets),
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'PUT'),
    accept: fc.constantFrom(undefined, FULL, ABBREVIATED, `${ABBREVIATED}; q=1.0, application/json; q=0.8, */*`),
    coding: fc.constantFrom(undefined, 'gzip', 'gzip, br', 'identity'),
    host: fc.constantFrom('replica.test', 'other.test:8080', 'REPLICA.test', 'bad host', 'evil.test/x?'),
    agent: fc.constantFrom(undefined, 'npm/11.0.0 node/v24', 'pnpm/11', 'evil npm/1'),
    match: fc.constantFrom(undefined, 'last', 'weak', '*', '"other"'),
    since: fc.constantFrom(undefined, 'Thu, 02 Jan 2025 03:04:05 GMT', 'Thu, 02 Jan 2020 03:04:05 GMT'),
    pass: fc.constantFrom(0, 0, 0, 400, 1_000, 400_000),
    publish: fc.constantFrom(false, false, false, true),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('auto', 'self', 'origin') as fc.Arbitrary<'auto' | 'self' | 'origin'>,
      fc.array(request, { minLength: 5, maxLength: 40 }),
      async (tarballHost, requests) => {
        const it = replica({ options: { tarballHost } });
        const modified = { 'last-modified': 'Thu, 02 Jan 2025 03:04:05 GMT' };
        const names = ['express', '@s/n'];
        let release = 0;
        const publish = () => {
          release += 1;
          for (const name of names) {
            const text = JSON.stringify(documentOf(name, { '1.0.0': {}, [`1.0.${release}`]: {} }));
            it.origin.say(
              `/${name.replace('/', '%2f')}`,
              answer(text, { headers: { ...modified, etag: `"${release}"` } }),
            );
          }
        };
        publish();
        let etag = '"none"';
        for (const { target, method, accept, coding, host, agent, match, since, pass, publish: isNew } of requests) {
          if (isNew) publish();
          if (pass > 0) await it.clock.advance(pass);
          const matching = { last: etag, weak: `W/${etag}`, '*': '*', '"other"': '"other"' };
          const headers: Record<string, string> = { host };
          if (accept) headers['accept'] = accept;
          if (coding) headers['accept-encoding'] = coding;
          if (agent) headers['user-agent'] = agent;
          if (match) headers['if-none-match'] = matching[match];
          if (since) headers['if-modified-since'] = since;
          const hot = seen(it, target, { method, headers });
          const { status, headers: said, body } = await it.ask(target, { method, headers });
          // Up to a second old: the age may have grown, and the document may have been renewed.
          if (hot && hot.headers['etag'] === said['etag']) {
            const { age, 'cache-status': cached, ...rest } = said;
            expect({ ...hot, headers: { ...hot.headers, age, 'cache-status': cached } }).toEqual({
              status,
              headers: said,
              body,
            });
            expect(hot.headers).toMatchObject(rest);
          }
          const after = seen(it, target, { method, headers });
          if (after && !said['cache-status']?.includes('miss')) expect(after).toEqual({ status, headers: said, body });
          etag = said['etag'] ?? etag;
          await settled();
        }
      },
    ),
    { seed: 21, numRuns: 60 },
  );
}, 60_000);
