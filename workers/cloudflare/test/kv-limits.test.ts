import type { EntryMetadata, StoredEntry } from '@_all_docs/cache';
import { CloudflareStorageDriver, R2StorageDriver } from '@_all_docs/worker-cloudflare';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, noise, sameBytes, utf8 } from '../../../test/contract/_bytes.ts';

const kv = env.PACKUMENTS;
const driver = new CloudflareStorageDriver(kv);
const entry = (body: Uint8Array, more: Partial<EntryMetadata> = {}): StoredEntry => ({
  body,
  metadata: { storedAt: 1_700_000_000_000, encoding: 'gzip', size: body.length, ...more },
});
/** The namespace, and what is asked of it. */
function counted(): { kv: KVNamespace; calls: string[] } {
  const calls: string[] = [];
  const watched = new Proxy(kv, {
    get: (target, name) => {
      // biome-ignore lint/suspicious/noExplicitAny: whatever the method is
      const method = (target as any)[name].bind(target);
      return (...args: unknown[]) => {
        calls.push(String(name));
        return method(...args);
      };
    },
  });
  return { kv: watched, calls };
}

describe('metadata', () => {
  it('fits with the longest validators that a registry sends', async () => {
    const digest = `sha512-${'A'.repeat(86)}==`;
    const most = {
      digest,
      etag: `W/"${'e'.repeat(64)}"`,
      lastModified: new Date(0).toUTCString(),
      rev: `99999-${'f'.repeat(32)}`,
      modified: new Date(0).toISOString(),
      expiresAt: Date.now() + 1e9,
    };
    await driver.write('limits:fits', entry(utf8('x'), most));
    expect(await driver.head('limits:fits')).toMatchObject(most);
  });

  it('beyond the 1,024 bytes of KV is refused with ERR_VALUE_TOO_LARGE, and what was there stays', async () => {
    await driver.write('limits:metadata', entry(utf8('old')));
    for (const etag of ['x'.repeat(1_024), '\u{1f600}'.repeat(80), '"'.repeat(300)]) {
      expect(await codeOf(() => driver.write('limits:metadata', entry(utf8('new'), { etag })))).toBe(
        'ERR_VALUE_TOO_LARGE',
      );
    }
    expect((await driver.read('limits:metadata'))?.body).toEqual(utf8('old'));
  });
});

describe('what expires', () => {
  it('bears its time to KV, never one that KV refuses', async () => {
    const soon = Math.floor(Date.now() / 1_000);
    for (const [key, expiresAt] of [
      ['limits:past', 1],
      ['limits:later', (soon + 3_600) * 1_000],
    ] as const) {
      await driver.write(key, entry(utf8('x'), { expiresAt }));
      const { keys } = await kv.list({ prefix: key });
      const at = keys[0]?.expiration ?? 0;
      expect(at).toBeGreaterThanOrEqual(soon + 60);
      if (expiresAt > 1) expect(at).toBe(soon + 3_600);
    }
    await driver.touch('limits:later', { expiresAt: undefined });
    expect((await kv.list({ prefix: 'limits:later' })).keys[0]?.expiration).toBeUndefined();
  });
});

describe('a hit', () => {
  it('is one read of KV, a 304 too', async () => {
    await driver.write('limits:hit', entry(noise(100_000), { etag: 'e' }));
    for (const ask of [
      (asked: CloudflareStorageDriver) => asked.read('limits:hit'),
      async (asked: CloudflareStorageDriver) => (await asked.open('limits:hit'))?.cancel(),
      async (asked: CloudflareStorageDriver) =>
        new Response((await asked.open('limits:hit'))?.body ?? null).arrayBuffer(),
    ]) {
      const { kv, calls } = counted();
      await ask(new CloudflareStorageDriver(kv));
      expect(calls).toEqual(['getWithMetadata']);
    }
  });
});

describe('a body over 25 MiB', () => {
  const LARGE = noise(25 * 1024 * 1024 + 1, 3);
  const both = new CloudflareStorageDriver(kv, { large: new R2StorageDriver(env.BLOBS) });

  it('lies in R2, and KV has a reference', async () => {
    await both.write('limits:large', entry(LARGE, { etag: 'large' }));
    expect(sameBytes((await both.read('limits:large'))?.body, LARGE)).toBe(true);
    const opened = await both.open('limits:large');
    expect(opened?.metadata).toMatchObject({ etag: 'large', size: LARGE.length });
    expect((await new Response(opened?.body ?? null).arrayBuffer()).byteLength).toBe(LARGE.length);
    expect(await both.head('limits:large')).toMatchObject({ etag: 'large', size: LARGE.length });
    expect(await collect(both.list('limits:large'))).toEqual(['limits:large']);
    expect(await codeOf(() => driver.read('limits:large'))).toBe('ERR_STORAGE_READ');
    await both.delete('limits:large');
    expect([await both.read('limits:large'), await env.BLOBS.head('limits:large')]).toEqual([undefined, null]);
  });

  it('that is small later is in KV again', async () => {
    await both.write('limits:shrinks', entry(LARGE));
    await both.write('limits:shrinks', entry(utf8('small')));
    expect((await driver.read('limits:shrinks'))?.body).toEqual(utf8('small'));
  });
});

it('what somebody else put there, or damaged bytes, are ERR_CORRUPT', async () => {
  await kv.put('limits:foreign', '{}');
  await kv.put('limits:other', '{}', { metadata: { some: 'thing' } });
  for (const key of ['limits:foreign', 'limits:other']) {
    for (const ask of [() => driver.read(key), () => driver.head(key), () => driver.open(key)]) {
      expect(await codeOf(ask)).toBe('ERR_CORRUPT');
    }
  }
  await driver.write('limits:damaged', entry(utf8('right')));
  const { metadata } = await kv.getWithMetadata('limits:damaged');
  for (const wrong of ['wrong', 'righ', '']) {
    await kv.put('limits:damaged', wrong, { metadata });
    expect(await codeOf(() => driver.read('limits:damaged'))).toBe('ERR_CORRUPT');
  }
});
