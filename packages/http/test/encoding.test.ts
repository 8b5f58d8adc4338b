import { concat, parseEncoding, release, webCodec } from '@_all_docs/http';
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_answers.ts';

fc.configureGlobal({ seed: 20250601 });

const decode = async (...args: Parameters<typeof webCodec.decode>) => webCodec.decode(...args);
const plain = (bytes: Uint8Array) => Uint8Array.from(bytes);

describe('webCodec', () => {
  it('gives back what it packed, and packs what others can read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (bytes) => {
        const packed = await webCodec.gzip(bytes);
        expect(await decode(packed, 'gzip')).toEqual(bytes);
        expect(plain(gunzipSync(packed))).toEqual(bytes);
      }),
      { numRuns: 30 },
    );
  });

  it('reads what others packed, in several chunks too', async () => {
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * i) >> 7);
    expect(await decode(gzipSync(bytes), 'gzip')).toEqual(bytes);
    expect(await decode(deflateSync(bytes), 'deflate')).toEqual(bytes);
    expect(await decode(bytes, 'identity')).toEqual(bytes);
  });

  it('calls damage ERR_ENCODING, wherever it is', async () => {
    const packed = gzipSync(JSON.stringify({ name: 'a', text: 'x'.repeat(1_000) + Math.PI }));
    const flipped = (at: number) => packed.map((byte, i) => (i === at ? byte ^ 0xff : byte));
    for (const cut of [0, 1, 5, 10, packed.length - 8, packed.length - 1]) {
      expect([cut, await codeOf(decode(packed.subarray(0, cut), 'gzip'))]).toEqual([cut, 'ERR_ENCODING']);
    }
    for (const at of [0, 1, packed.length - 1, packed.length - 5]) {
      expect([at, await codeOf(decode(flipped(at), 'gzip'))]).toEqual([at, 'ERR_ENCODING']);
    }
    expect(await codeOf(decode(new TextEncoder().encode('{}'), 'gzip'))).toBe('ERR_ENCODING');
    expect(await codeOf(decode(Uint8Array.of(...packed, 0x7b), 'gzip'))).toBe('ERR_ENCODING');
  });

  it.each(['br', 'zstd'] as const)('says so when the runtime cannot do %s', async (encoding) => {
    expect(await codeOf(decode(new Uint8Array(9), encoding))).toBe('ERR_ENCODING');
  });

  it('stops a bomb with ERR_TOO_LARGE', async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    expect(await codeOf(decode(bomb, 'gzip', 1_000_000))).toBe('ERR_TOO_LARGE');
    const small = gzipSync(new Uint8Array(1_000));
    expect(await decode(small, 'gzip', 1_000)).toHaveLength(1_000);
    expect(await codeOf(decode(small, 'gzip', 999))).toBe('ERR_TOO_LARGE');
  });
});

describe('release', () => {
  it('empties large bytes, once or twice', () => {
    const bytes = new Uint8Array(100_000).fill(1);
    release(bytes);
    expect(bytes.length).toBe(0);
    expect(() => release(bytes)).not.toThrow();
  });

  it('leaves small bytes alone: others may live in the same buffer', () => {
    const pool = new Uint8Array(70_000).fill(1);
    release(pool.subarray(0, 1_000));
    expect(pool.length).toBe(70_000);
  });
});

describe('parseEncoding', () => {
  it.each([
    [undefined, 'identity'],
    ['', 'identity'],
    ['Identity', 'identity'],
    [' GZIP ', 'gzip'],
    ['x-gzip', 'gzip'],
    ['br', 'br'],
    ['deflate', 'deflate'],
    ['zstd', 'zstd'],
  ])('%j is %s', (header, encoding) => {
    expect(parseEncoding(header)).toBe(encoding);
  });

  it.each(['gzip, br', 'compress', 'gzip;q=1', 'lzma'])('%j is ERR_ENCODING', (header) => {
    expect(() => parseEncoding(header)).toThrow(expect.objectContaining({ code: 'ERR_ENCODING' }));
  });
});

it('concat makes one array of many', () => {
  expect(concat([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)], 3)).toEqual(Uint8Array.of(1, 2, 3));
  expect(concat([], 0)).toEqual(new Uint8Array(0));
});
