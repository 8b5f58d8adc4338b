import { type BlobBackend, Hash, MemoryBlobBackend, type Store } from '@_all_docs/content';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, noise, utf8 } from '../../../test/contract/_bytes.ts';
import { memoryStore, read, sourceOf, sri, testCodec, testHashers, wholeOf } from './_store.ts';

const TEXT = 'content that is addressed by its hash';
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const nothing = (hex: string) => Hash.parse(hex);

async function hashes(store: Store): Promise<string[]> {
  return (await collect(store.list())).map(String);
}

describe('put', () => {
  it('gives the hash of what it stored, and its size', async () => {
    const { store } = memoryStore();
    const { hash, size, integrity, encoding } = await store.put(
      sourceOf('content that ', '', 'is addressed by its hash'),
    );
    expect(`${hash}`).toBe(sha256(TEXT));
    expect({ size, integrity, encoding }).toEqual({ size: TEXT.length, integrity: undefined, encoding: 'identity' });
    expect((await read(store, hash))?.toString()).toBe(TEXT);
  });

  it('takes any pieces and gives back the whole, and every range of it', async () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(), fc.nat(), async (pieces, a, b) => {
        const { store } = memoryStore();
        const whole = Buffer.concat(pieces);
        const { hash, size } = await store.put(sourceOf(...pieces));
        expect(`${hash}`).toBe(sha256(whole));
        expect(size).toBe(whole.length);
        const [start = 0, end = 0] = [a % (whole.length + 1), b % (whole.length + 1)].sort((x, y) => x - y);
        const blob = await store.get(hash);
        expect(blob?.size).toBe(whole.length);
        expect((await wholeOf(blob?.stream() ?? sourceOf())).equals(whole)).toBe(true);
        expect((await wholeOf(blob?.stream({ start, end }) ?? sourceOf())).equals(whole.subarray(start, end))).toBe(
          true,
        );
        expect(Buffer.from((await blob?.bytes()) ?? []).equals(whole)).toBe(true);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it('says which hash of the integrity matched', async () => {
    const { store } = memoryStore();
    const { integrity } = await store.put(sourceOf(TEXT), { integrity: `${sri('sha1', TEXT)} ${sri('sha512', TEXT)}` });
    expect(integrity).toBe(sri('sha512', TEXT));
  });

  it.each([
    ['another integrity', { integrity: sri('sha512', 'x') }],
    ['another size', { size: 3 }],
    ['an integrity that names nothing known', { integrity: 'md5-abc=' }],
  ])('with %s is ERR_INTEGRITY and leaves nothing', async (_, expected) => {
    const { store } = memoryStore();
    expect(await codeOf(() => store.put(sourceOf(TEXT), expected))).toBe('ERR_INTEGRITY');
    expect(await hashes(store)).toEqual([]);
    expect(await store.has(nothing(sha256(TEXT)))).toBe(false);
  });

  it('hands on the error of its source and leaves nothing', async () => {
    const { store } = memoryStore();
    const error = new Error('cut');
    const cut = async function* () {
      yield utf8(TEXT);
      throw error;
    };
    await expect(store.put(cut())).rejects.toBe(error);
    expect(await hashes(store)).toEqual([]);
  });

  it('of the same content again leaves one blob', async () => {
    const { store } = memoryStore();
    const first = await store.put(sourceOf(TEXT));
    const second = await store.put(sourceOf(...TEXT));
    expect(second.hash.equals(first.hash)).toBe(true);
    expect(await hashes(store)).toEqual([sha256(TEXT)]);
  });

  it('addresses by SHA-256 where that is what the host has', async () => {
    const { store, backend } = memoryStore({ hashers: testHashers('sha256') });
    const { hash } = await store.put(sourceOf(TEXT));
    expect(hash.path).toMatch(/^blobs\/sha256\//);
    expect(await collect(backend.list(''))).toEqual([hash.path]);
    expect(await hashes(store)).toEqual([hash.toString()]);
    expect((await read(store, hash))?.toString()).toBe(TEXT);
  });
});

describe('get', () => {
  it('misses with undefined', async () => {
    const { store } = memoryStore();
    expect(await store.get(nothing('0'.repeat(64)))).toBeUndefined();
    expect(await store.has(nothing('0'.repeat(64)))).toBe(false);
    expect(await store.stat(nothing('0'.repeat(64)))).toBeUndefined();
  });

  it('refuses ranges that are not in the blob', async () => {
    const { store } = memoryStore();
    const { hash } = await store.put(sourceOf(TEXT));
    const blob = await store.get(hash);
    for (const range of [
      { start: 0, end: TEXT.length + 1 },
      { start: 3, end: 2 },
      { start: -1, end: 2 },
    ])
      expect(await codeOf(() => wholeOf(blob?.stream(range) ?? sourceOf()))).toBe('ERR_BAD_RANGE');
  });

  it('of a blob that was deleted meanwhile ends with ERR_BLOB_MISSING', async () => {
    const { store } = memoryStore();
    const { hash } = await store.put(sourceOf(TEXT));
    const blob = await store.get(hash);
    await store.delete(hash);
    await store.delete(hash);
    expect(await codeOf(() => wholeOf(blob?.stream() ?? sourceOf()))).toBe('ERR_BLOB_MISSING');
    expect(await store.get(hash)).toBeUndefined();
  });

  it('never gives the whole of a blob that was damaged at rest, and deletes it', async () => {
    const { store, backend } = memoryStore();
    const bytes = noise(1_000);
    const { hash } = await store.put(sourceOf(bytes));
    for (const damage of [flipped(bytes), bytes.slice(0, 999), new Uint8Array(0), noise(1_000, 2)]) {
      await backend.write(hash.path, sourceOf(damage));
      const blob = await store.get(hash);
      const given: Uint8Array[] = [];
      const reading = async () => {
        for await (const piece of blob?.stream() ?? sourceOf()) given.push(piece);
      };
      expect(await codeOf(reading)).toBe('ERR_BLOB_DAMAGED');
      expect(given).toEqual([]);
      expect(await store.has(hash)).toBe(false);
    }
    expect(store.damaged).toBe(4);
    await store.put(sourceOf(bytes));
    expect((await read(store, hash))?.equals(bytes)).toBe(true);
  });

  it('holds back the last piece of a large blob until all of it was looked at', async () => {
    const { store, backend } = memoryStore();
    const { hash } = await store.put(sourceOf(TEXT));
    const inPieces: BlobBackend = Object.assign(Object.create(backend), {
      stat: (path: string) => backend.stat(path),
      delete: (path: string) => backend.delete(path),
      read: async () => sourceOf('content that ', 'is addressed by ', 'its HASH'),
    });
    const { store: other } = memoryStore({ backend: inPieces });
    const given: string[] = [];
    const reading = async () => {
      const blob = await other.get(hash);
      for await (const piece of blob?.stream() ?? sourceOf()) given.push(Buffer.from(piece).toString());
    };
    expect(await codeOf(reading)).toBe('ERR_BLOB_DAMAGED');
    expect(given).toEqual(['content that ', 'is addressed by ']);
  });

  it('looks at a blob once, and again only when it was modified since', async () => {
    let hashed = 0;
    const hashers = testHashers();
    const counting = {
      ...hashers,
      create: (algorithm: Parameters<typeof hashers.create>[0]) => {
        hashed += 1;
        return hashers.create(algorithm);
      },
    };
    const { store, clock, backend } = memoryStore({ hashers: counting });
    const { hash } = await store.put(sourceOf(TEXT));
    hashed = 0;
    for (let i = 0; i < 5; i++) await read(store, hash);
    expect(hashed).toBe(1);
    clock.time += 1;
    await backend.write(hash.path, sourceOf(TEXT.toUpperCase()));
    expect(await codeOf(() => read(store, hash))).toBe('ERR_BLOB_DAMAGED');
  });

  it('hands on the trouble of its backend, which is no miss', async () => {
    const trouble = Object.assign(new Error('disk on fire'), { code: 'ERR_STORAGE_READ' });
    const backend = Object.assign(new MemoryBlobBackend(), {
      stat: async () => {
        throw trouble;
      },
    });
    const { store } = memoryStore({ backend });
    await expect(store.get(nothing('0'.repeat(64)))).rejects.toBe(trouble);
    await expect(store.has(nothing('0'.repeat(64)))).rejects.toBe(trouble);
  });
});

describe('a store with a codec', () => {
  const packable = utf8('packs well '.repeat(2_000));

  it('packs what gets smaller by that, where it is asked to, and gives it back plain', async () => {
    const { store, backend } = memoryStore({ codec: testCodec });
    const { hash, encoding, size, integrity } = await store.put(sourceOf(packable.slice(0, 99), packable.slice(99)), {
      compress: true,
      integrity: sri('sha512', packable),
    });
    expect({ encoding, size, integrity }).toEqual({
      encoding: 'zstd',
      size: packable.length,
      integrity: sri('sha512', packable),
    });
    expect(`${hash}`).toBe(sha256(packable));
    expect(await collect(backend.list(''))).toEqual([`${hash.path}.zst`]);
    expect((await store.stat(hash))?.size).toBeLessThan(1_000);
    const blob = await store.get(hash);
    expect(blob?.size).toBe(packable.length);
    expect((await read(store, hash))?.equals(packable)).toBe(true);
    const range = blob?.stream({ start: 5, end: 15 }) ?? sourceOf();
    expect((await wholeOf(range)).equals(packable.subarray(5, 15))).toBe(true);
    expect(await hashes(store)).toEqual([`${hash}`]);
    await store.delete(hash);
    expect(await store.has(hash)).toBe(false);
  });

  it.each([
    ['it was not asked to', packable, {}],
    ['that makes it no smaller', noise(30_000), { compress: true }],
    ['there is nothing', new Uint8Array(0), { compress: true }],
    ['it is too large to be held', new Uint8Array(4 * 1024 * 1024 + 1), { compress: true }],
  ])('leaves it plain where %s', async (_, bytes, options) => {
    const { store, backend } = memoryStore({ codec: testCodec });
    const { hash, encoding } = await store.put(sourceOf(bytes.slice(0, 1), bytes.slice(1)), options);
    expect(encoding).toBe('identity');
    expect(await collect(backend.list(''))).toEqual([hash.path]);
    expect((await read(store, hash))?.equals(bytes)).toBe(true);
  });

  it('leaves nothing when the content is not what was expected', async () => {
    const { store, backend } = memoryStore({ codec: testCodec });
    const put = () => store.put(sourceOf(packable), { compress: true, integrity: sri('sha512', 'x') });
    expect(await codeOf(put)).toBe('ERR_INTEGRITY');
    expect(await collect(backend.list(''))).toEqual([]);
  });

  it('deletes what was damaged at rest', async () => {
    const { store, backend } = memoryStore({ codec: testCodec });
    const { hash } = await store.put(sourceOf(packable), { compress: true });
    for (const damage of [noise(50), Buffer.from(await testCodec.pack(utf8('another content'))), new Uint8Array(0)]) {
      await backend.write(`${hash.path}.zst`, sourceOf(damage));
      expect(await codeOf(() => read(store, hash))).toBe('ERR_BLOB_DAMAGED');
      expect(await store.has(hash)).toBe(false);
    }
    expect(store.damaged).toBe(3);
  });

  it('without one packs nothing, so that every reader can read it', async () => {
    const { store } = memoryStore();
    expect((await store.put(sourceOf(packable), { compress: true })).encoding).toBe('identity');
  });
});

function flipped(bytes: Uint8Array): Uint8Array {
  const other = bytes.slice();
  other[500] = (other[500] as number) ^ 1;
  return other;
}
