import { assertKey, MemoryStorageDriver, type StoredEntry } from '@_all_docs/cache';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_errors.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const entry = (text: string, more: Partial<StoredEntry['metadata']> = {}): StoredEntry => ({
  body: bytes(text),
  metadata: { storedAt: 5, encoding: 'identity', size: text.length, ...more },
});

async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const out: string[] = [];
  for await (const key of keys) out.push(key);
  return out;
}

describe('derived get, set, has', () => {
  it('carry JSON', async () => {
    const driver = new MemoryStorageDriver();
    for (const value of [{ a: [1, null, 'é\u{1f600}'] }, [], 0, '', false, null]) {
      await driver.set('key', value);
      expect(await driver.get('key')).toEqual(value);
      expect(await driver.has('key')).toBe(true);
    }
  });

  it('a miss is undefined, a delete is idempotent', async () => {
    const driver = new MemoryStorageDriver();
    expect(await driver.get('key')).toBeUndefined();
    expect(await driver.read('key')).toBeUndefined();
    expect(await driver.head('key')).toBeUndefined();
    expect(await driver.has('key')).toBe(false);
    await driver.set('key', 1);
    await driver.delete('key');
    await driver.delete('key');
    expect(await driver.has('key')).toBe(false);
  });

  it('set stores plain JSON with its size, time and digest', async () => {
    const driver = new MemoryStorageDriver();
    await driver.set('key', { a: 'é' });
    const stored = await driver.read('key');
    expect(new TextDecoder().decode(stored?.body)).toBe('{"a":"é"}');
    expect(stored?.metadata).toMatchObject({ encoding: 'identity', size: 10 });
    expect(stored?.metadata.digest).toMatch(/^sha256-/);
    expect(stored?.metadata.storedAt).toBeGreaterThan(0);
  });

  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a circle', circular],
    ['a bigint', 1n],
  ])('set refuses what JSON cannot carry, and leaves what was there: %s', async (_, value) => {
    const driver = new MemoryStorageDriver();
    await driver.set('key', 'old');
    expect(await codeOf(() => driver.set('key', value))).toBe('ERR_STORAGE_WRITE');
    expect(await driver.get('key')).toBe('old');
  });

  it('get reads a gzip entry, and calls what is no JSON ERR_CORRUPT', async () => {
    const driver = new MemoryStorageDriver();
    const packed = gzipSync('{"a":1}');
    await driver.write('packed', { body: packed, metadata: { storedAt: 1, encoding: 'gzip', size: packed.length } });
    expect(await driver.get('packed')).toEqual({ a: 1 });
    await driver.write('cut', {
      body: packed.subarray(0, packed.length - 4),
      metadata: { storedAt: 1, encoding: 'gzip', size: 3 },
    });
    expect(await codeOf(() => driver.get('cut'))).toBe('ERR_CORRUPT');
    await driver.write('text', entry('{"a":'));
    expect(await codeOf(() => driver.get('text'))).toBe('ERR_CORRUPT');
  });
});

describe('entries', () => {
  it('come back byte for byte with their metadata, size told by the bytes', async () => {
    const driver = new MemoryStorageDriver();
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    const metadata = {
      storedAt: 7,
      encoding: 'gzip',
      size: 999,
      etag: 'W/"x"',
      lastModified: 'then',
      rev: '1-a',
      modified: 'now',
    } as const;
    await driver.write('key', { body, metadata });
    const { size: _, ...kept } = metadata;
    expect((await driver.read('key'))?.body).toEqual(body);
    expect(await driver.head('key')).toMatchObject({ ...kept, size: 256 });
  });

  it("are nobody else's to change", async () => {
    const driver = new MemoryStorageDriver();
    const given = entry('abc');
    await driver.write('key', given);
    given.body[0] = 0;
    given.metadata.storedAt = 0;
    const read = await driver.read('key');
    read?.body.fill(0);
    if (read) read.metadata.storedAt = -1;
    expect(new TextDecoder().decode((await driver.read('key'))?.body)).toBe('abc');
    expect((await driver.head('key'))?.storedAt).toBe(5);
  });

  it('touch renews metadata, keeps the bytes and makes nothing out of a miss', async () => {
    const driver = new MemoryStorageDriver();
    await driver.write('key', entry('abc', { etag: '"1"' }));
    const before = await driver.head('key');
    await driver.touch('key', { storedAt: 9 });
    expect(await driver.head('key')).toEqual({ ...before, storedAt: 9 });
    expect((await driver.read('key'))?.body).toEqual(bytes('abc'));
    await driver.touch('other', { storedAt: 9 });
    expect(await driver.has('other')).toBe(false);
  });

  it('list by prefix in byte order, after a key, up to a limit', async () => {
    const driver = new MemoryStorageDriver();
    for (const key of ['a:2', 'a:\u{1f600}', 'a:\uff5e', 'b:1', 'a:1', 'a', 'a:10']) await driver.set(key, 1);
    const expected = ['a:1', 'a:10', 'a:2', 'a:\uff5e', 'a:\u{1f600}'];
    expect(await all(driver.list('a:'))).toEqual(expected);
    expect(await all(driver.list('a:', { after: 'a:10' }))).toEqual(expected.slice(2));
    expect(await all(driver.list('a:', { after: 'a:11', limit: 2 }))).toEqual(expected.slice(2, 4));
    expect(await all(driver.list('a:', { limit: 0 }))).toEqual([]);
    expect(await all(driver.list())).toEqual(['a', ...expected, 'b:1']);
    expect(await all(driver.list('c'))).toEqual([]);
  });
});

describe('keys', () => {
  it.each([
    ['empty', ''],
    ['a lone surrogate', '\ud800'],
    ['a number', 1],
    ['undefined', undefined],
  ])('refused by every primitive: %s', async (_, key) => {
    const driver = new MemoryStorageDriver();
    const bad = key as string;
    for (const work of [
      () => driver.read(bad),
      () => driver.head(bad),
      () => driver.write(bad, entry('x')),
      () => driver.delete(bad),
      () => driver.get(bad),
      () => driver.set(bad, 1),
    ]) {
      expect(await codeOf(work)).toBe('ERR_BAD_KEY');
    }
  });

  it('are measured in bytes', async () => {
    expect(await codeOf(() => assertKey('é'.repeat(256), 512))).toBeUndefined();
    expect(await codeOf(() => assertKey(`${'é'.repeat(256)}a`, 512))).toBe('ERR_KEY_TOO_LONG');
    expect(await codeOf(() => assertKey('a'.repeat(513), 512))).toBe('ERR_KEY_TOO_LONG');
    expect(await codeOf(() => assertKey('\u{1f600}'.repeat(128), 512))).toBeUndefined();
  });
});
