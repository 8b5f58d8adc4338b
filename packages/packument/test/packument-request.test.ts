import { CacheError, createPackumentKey } from '@_all_docs/cache';
import { HttpError, type HttpErrorCode } from '@_all_docs/http';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { blockPage, documentOf, gzipped, identity, notFound, notModified, REGISTRY, setUp } from './_registry.ts';

const HOUR = 3_600_000;

async function aged() {
  const setting = setUp();
  setting.say(gzipped(documentOf('a', { n: 1 }), { etag: '"1"' }));
  await setting.client.request('a');
  setting.clock.time += HOUR;
  setting.requests.length = 0;
  return setting;
}

describe('request', () => {
  it.each([
    ['/express', 'express'],
    ['express', 'express'],
    ['@scope/name', '@scope/name'],
    ['/@scope/name', '@scope/name'],
    ['/@scope%2Fname', '@scope/name'],
  ])('takes %s', async (path, name) => {
    const { client, requests, say } = setUp();
    say(gzipped(documentOf(name)));
    const response = await client.request(path);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ _id: name });
    expect(response.headers['content-type']).toBe('application/json');
    expect(requests).toHaveLength(1);
  });

  it('refuses what is no name before it asks', async () => {
    const { client, requests } = setUp();
    expect(await codeOf(() => client.request('/a/b/c'))).toBe('ERR_BAD_NAME');
    expect(requests).toEqual([]);
  });

  it('answers from the store while it is young', async () => {
    const { client, clock, requests, say } = setUp();
    say(gzipped(documentOf('a'), { etag: '"1"' }));
    expect((await client.request('a')).headers['cache-status']).toBe('_all_docs; fwd=miss; stored');
    clock.time += 299_500;
    const second = await client.request('/a');
    expect(second.headers).toMatchObject({ age: '299', 'cache-status': '_all_docs; hit', etag: '"1"' });
    expect(second.json()).toMatchObject({ _id: 'a' });
    expect(requests).toHaveLength(1);
    await client.request('a', { refresh: true });
    await client.request('a', { maxAgeMs: 0 });
    clock.time += 1;
    await client.request('a', { maxAgeMs: 0 });
    expect(requests).toHaveLength(3);
  });

  it('asks conditionally when it is old, and says so', async () => {
    const { client, requests, say } = await aged();
    say(notModified());
    const response = await client.request('a');
    expect(requests[0]?.headers).toMatchObject({ 'if-none-match': '"1"' });
    expect(response.headers).toMatchObject({ age: '0', 'cache-status': '_all_docs; hit; fwd=stale; fwd-status=304' });
    expect(response.json()).toMatchObject({ n: 1 });
    await client.request('a');
    expect(requests).toHaveLength(1);
  });

  it.each([404, 410, 451])('hands a %d on, even when something is stored', async (status) => {
    const { client, say } = await aged();
    say(notFound(status));
    const response = await client.request('a');
    expect(response.statusCode).toBe(status);
    expect(response.json()).toHaveProperty('error');
  });
});

describe('no answer from the origin', () => {
  it.each([
    'ERR_FETCH_FAILED',
    'ERR_TIMEOUT',
    'ERR_BLOCKED',
    'ERR_RATE_LIMITED',
    'ERR_ORIGIN_DOWN',
    'ERR_BUDGET_EXHAUSTED',
  ] as HttpErrorCode[])('%s: a stale answer that says it is stale', async (code) => {
    const { client, say } = await aged();
    say(new HttpError(code, 'no'));
    const response = await client.request('a');
    expect(response.statusCode).toBe(200);
    expect(response.headers['cache-status']).toMatch(/^_all_docs; hit; .*stale/);
    expect(response.headers['cache-status']).toContain(code);
    expect(response.headers['age']).toBe('3600');
    expect(response.json()).toMatchObject({ n: 1 });
  });

  it.each([
    ['a damaged document', () => identity('{"_id":"a"')],
    ['another package', () => gzipped(documentOf('b'))],
    ['a block page under 200', () => blockPage(200)],
    ['a block page under 404', () => blockPage(404)],
    ['a 500', () => identity('{}', 500)],
  ])('%s: the same', async (_, response) => {
    const { client, say } = await aged();
    say(response());
    const answered = await client.request('a');
    expect(answered.statusCode).toBe(200);
    expect(answered.headers['cache-status']).toContain('stale');
    expect(answered.json()).toMatchObject({ n: 1 });
  });

  it('is thrown when nothing is stored', async () => {
    const { client, say } = setUp();
    say(new HttpError('ERR_TIMEOUT', 'slow'));
    expect(await codeOf(() => client.request('a'))).toBe('ERR_TIMEOUT');
  });

  it('does not hide a caller who left', async () => {
    const { client, say } = await aged();
    say(new HttpError('ERR_ABORTED', 'stopped'));
    expect(await codeOf(() => client.request('a'))).toBe('ERR_ABORTED');
  });
});

describe('a stored document that is damaged', () => {
  it("by the driver's own word is fetched again, without a condition", async () => {
    const { client, storage, requests, say } = await aged();
    storage.trouble = () => new CacheError('ERR_CORRUPT', 'digest does not match');
    say(gzipped(documentOf('a', { n: 2 })));
    expect((await client.request('a')).json()).toMatchObject({ n: 2 });
    expect(requests[0]?.headers).not.toHaveProperty('if-none-match');
  });

  it('in a way that only unpacking shows is fetched again', async () => {
    const { client, storage, clock, requests, say } = await aged();
    const key = createPackumentKey('a', REGISTRY);
    const entry = await storage.read(key);
    await storage.write(key, {
      body: entry?.body.slice(0, -5) as Uint8Array,
      metadata: { storedAt: clock.time, encoding: 'gzip', size: 0, etag: '"1"' },
    });
    say(gzipped(documentOf('a', { n: 2 })));
    expect((await client.request('a')).json()).toMatchObject({ n: 2 });
    expect(requests[0]?.headers).not.toHaveProperty('if-none-match');
  });

  it('other trouble of the store is thrown and never taken for a miss', async () => {
    const { client, storage, requests, say } = await aged();
    storage.trouble = () => new CacheError('ERR_STORAGE_READ', 'no such device');
    say(gzipped(documentOf('a')));
    expect(await codeOf(() => client.request('a'))).toBe('ERR_STORAGE_READ');
    expect(requests).toEqual([]);
  });
});
