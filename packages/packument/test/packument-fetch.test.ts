import { createAbbreviatedKey, createPackumentKey } from '@_all_docs/cache';
import { HttpError, withRetry } from '@_all_docs/http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { blockPage, documentOf, gzipped, identity, notFound, notModified, REGISTRY, setUp } from './_registry.ts';

const v1 = documentOf('a', { n: 1 });
const v2 = documentOf('a', { n: 2 });
const damaged = () => ({ ...gzipped(v2), body: gzipped(v2).body.slice(0, -3) });

async function stored(text = v1) {
  const setting = setUp();
  setting.say(gzipped(text, { etag: '"1"', 'last-modified': 'Wed, 01 Jan 2025 00:00:00 GMT' }));
  await setting.client.fetch('a');
  setting.requests.length = 0;
  return { ...setting, known: await setting.client.heldMetadata('a'), held: await setting.client.held('a') };
}

describe('what is stored', () => {
  it('is gzip as received, byte for byte, with its validators', async () => {
    const { client, storage, clock, say } = setUp();
    const response = gzipped(v1, { etag: 'W/"x"', 'last-modified': 'then' });
    say(response);
    const result = await client.fetch('a');
    expect(result).toMatchObject({ outcome: 'stored', bytes: response.body.length });
    const entry = await storage.read(createPackumentKey('a', REGISTRY));
    expect(entry?.body).toEqual(response.body);
    expect(entry?.metadata).toMatchObject({
      encoding: 'gzip',
      size: response.body.length,
      etag: 'W/"x"',
      lastModified: 'then',
      rev: '3-abc',
      storedAt: clock.time,
    });
  });

  it('is packed once when it came plain', async () => {
    const { client, say } = setUp();
    say(identity(v1));
    await client.fetch('a');
    const entry = await client.held('a');
    expect(entry?.metadata.encoding).toBe('gzip');
    expect(entry?.metadata.size).toBe(entry?.body.length);
    expect(gunzipSync(entry?.body as Uint8Array).toString()).toBe(v1);
  });

  it('is apart for the two forms', async () => {
    const { client, storage, requests, say } = setUp({ form: 'abbreviated' });
    say(gzipped('{"name":"a","modified":"x","versions":{}}'));
    await client.fetch('a');
    expect(await storage.has(createAbbreviatedKey('a', REGISTRY))).toBe(true);
    expect(await storage.has(createPackumentKey('a', REGISTRY))).toBe(false);
    expect(requests[0]?.headers?.['accept']).toBe('application/vnd.npm.install-v1+json');
  });
});

describe('the request', () => {
  it("goes to the name's path below the registry, in the form that is kept", async () => {
    const { client, requests, say } = setUp();
    say(gzipped(documentOf('@explodingcabbage/..')));
    await client.fetch('@explodingcabbage/..');
    expect(requests[0]?.url).toBe(`${REGISTRY}/@explodingcabbage%2f..`);
    expect(requests[0]?.headers).toEqual({ accept: 'application/json', 'accept-encoding': 'gzip' });
  });

  it('is conditional when something is known', async () => {
    const { client, known, requests, say } = await stored();
    say(notModified());
    await client.fetch('a', { known });
    expect(requests[0]?.headers).toMatchObject({ 'if-none-match': '"1"' });
    await client.fetch('a', { known: { ...known, etag: undefined } as typeof known });
    expect(requests[1]?.headers).toMatchObject({ 'if-modified-since': 'Wed, 01 Jan 2025 00:00:00 GMT' });
    expect(requests[1]?.headers).not.toHaveProperty('if-none-match');
  });
});

describe('304', () => {
  it('refreshes the age and keeps the bytes', async () => {
    const { client, known, held, clock, say } = await stored();
    clock.time += 86_400_000;
    say(notModified({ etag: '"1b"' }));
    expect(await client.fetch('a', { known })).toMatchObject({ outcome: 'unchanged', bytes: 0 });
    const after = await client.held('a');
    expect(after?.body).toEqual(held?.body);
    expect(after?.metadata).toEqual({ ...held?.metadata, storedAt: clock.time, etag: '"1b"' });
  });

  it('that nobody asked for is asked again, and is no document in the end', async () => {
    const { client, requests, say } = setUp();
    say(notModified(), gzipped(v1));
    expect(await client.fetch('a')).toMatchObject({ outcome: 'stored' });
    say(notModified());
    requests.length = 0;
    expect(await codeOf(() => client.fetch('b'))).toBe('ERR_FETCH_FAILED');
    expect(requests).toHaveLength(4);
    expect(await client.held('b')).toBeUndefined();
  });

  it('after a damaged document is asked for without a condition', async () => {
    const { client, known, requests, say } = await stored();
    say(damaged(), gzipped(v2, { etag: '"2"' }));
    expect(await client.fetch('a', { known })).toMatchObject({ outcome: 'stored' });
    expect(requests[1]?.headers).not.toHaveProperty('if-none-match');
  });
});

describe('absent', () => {
  it.each([404, 410, 451])("%d is the origin's own word, and keeps what is stored", async (status) => {
    const { client, held, say } = await stored();
    say(notFound(status));
    expect(await client.fetch('a')).toEqual({ outcome: 'absent', bytes: 0, status });
    expect(await client.held('a')).toEqual(held);
  });

  it.each([200, 403, 404, 410, 451])('HTML under %d never counts as absent', async (status) => {
    const { client, held, say } = await stored();
    say(blockPage(status));
    expect(await codeOf(() => client.fetch('a'))).toMatch(/^ERR_/);
    expect(await client.held('a')).toEqual(held);
  });

  it('nor does it below the retry that every environment has', async () => {
    const clock = { now: () => 0, sleep: async () => undefined };
    const { client, requests, say } = setUp({
      wrap: (transport) => withRetry(transport, { clock, random: () => 0, attempts: 3 }),
    });
    say(blockPage(404));
    expect(await codeOf(() => client.fetch('a'))).toBe('ERR_BLOCKED');
    expect(requests).toHaveLength(3);
  });

  it.each([401, 403, 405, 429, 500, 503])('a %d is trouble', async (status) => {
    const { client, held, say } = await stored();
    say(identity('{}', status));
    await expect(client.fetch('a')).rejects.toMatchObject({ code: 'ERR_FETCH_FAILED', status });
    expect(await client.held('a')).toEqual(held);
  });
});

describe('a damaged document', () => {
  it.each([
    ['cut gzip', damaged, 'ERR_ENCODING'],
    ['cut JSON', () => identity(v2.slice(0, -5)), 'ERR_BAD_PACKUMENT'],
    ['another package', () => gzipped(documentOf('b')), 'ERR_BAD_PACKUMENT'],
    ['an empty body', () => identity(''), 'ERR_BAD_PACKUMENT'],
    ['a list', () => identity('[]'), 'ERR_BAD_PACKUMENT'],
  ])('never replaces a good one: %s', async (_, response, code) => {
    const { client, held, requests, say } = await stored();
    say(response());
    expect(await codeOf(() => client.fetch('a'))).toBe(code);
    expect(requests).toHaveLength(4);
    expect(await client.held('a')).toEqual(held);
    say(response(), response(), gzipped(v2));
    expect(await client.fetch('a')).toMatchObject({ outcome: 'stored' });
    expect(gunzipSync((await client.held('a'))?.body as Uint8Array).toString()).toBe(v2);
  });

  it('trouble on the way is not asked again here, and keeps what is stored', async () => {
    const { client, held, requests, say } = await stored();
    say(new HttpError('ERR_TIMEOUT', 'slow'));
    expect(await codeOf(() => client.fetch('a'))).toBe('ERR_TIMEOUT');
    expect(requests).toHaveLength(1);
    expect(await client.held('a')).toEqual(held);
  });
});
