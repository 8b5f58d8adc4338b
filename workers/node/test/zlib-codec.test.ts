import { type Codec, type Encoding, webCodec } from '@_all_docs/http';
import { zlibCodec } from '@_all_docs/worker-node';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, noise, sameBytes } from '../../../test/contract/_bytes.ts';

const text = new TextEncoder().encode(
  JSON.stringify({ name: 'é\u{1f600}', versions: Array.from({ length: 500 }, (_, i) => `1.0.${i}`) }),
);
const packs: Record<Exclude<Encoding, 'identity'>, (bytes: Uint8Array) => Buffer> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
};

/** The packed bytes with another size in their trailer. */
function lying(packed: Uint8Array, size: number): Uint8Array {
  const copy = Uint8Array.from(packed);
  new DataView(copy.buffer).setUint32(copy.length - 4, size, true);
  return copy;
}

type Decode = (bytes: Uint8Array, encoding: Encoding, maxBytes?: number) => Promise<Uint8Array>;
const whole =
  (codec: Codec): Decode =>
  async (...args) =>
    codec.decode(...args);
const inPieces =
  (codec: Codec): Decode =>
  async (...args) => {
    const pieces = await collect(codec.decodeStream(...args));
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
  };

const EVERY: Encoding[] = ['gzip', 'deflate', 'br', 'zstd'];
const codecs: [string, Codec, Encoding[], Decode][] = [
  ['zlibCodec', zlibCodec, EVERY, whole(zlibCodec)],
  ['zlibCodec in pieces', zlibCodec, EVERY, inPieces(zlibCodec)],
  ['webCodec', webCodec, ['gzip', 'deflate'], whole(webCodec)],
  ['webCodec in pieces', webCodec, ['gzip', 'deflate'], inPieces(webCodec)],
];

describe.each(codecs)('%s', (_, codec, encodings, decode) => {
  it('packs gzip that everybody unpacks', async () => {
    for (const bytes of [new Uint8Array(0), text, noise(200_000)]) {
      const packed = await codec.gzip(bytes);
      expect(sameBytes(zlib.gunzipSync(packed), bytes)).toBe(true);
      expect(sameBytes(await decode(packed, 'gzip'), bytes)).toBe(true);
    }
  });

  it('packs with less effort what everybody unpacks as well', async () => {
    for (const effort of ['fast', 'brisk'] as const) {
      for (const bytes of [new Uint8Array(0), text, noise(200_000)]) {
        expect(sameBytes(zlib.gunzipSync(await codec.gzip(bytes, effort)), bytes)).toBe(true);
      }
    }
  });

  it('hands identity through', async () => {
    expect(await decode(text, 'identity')).toBe(text);
  });

  for (const encoding of encodings as Exclude<Encoding, 'identity'>[]) {
    describe(encoding, () => {
      const pack = packs[encoding];

      it.each([
        ['nothing', new Uint8Array(0)],
        ['one byte', Uint8Array.of(0)],
        ['text', text],
        ['noise', noise(1_000_000)],
        ['a megabyte of zeros', new Uint8Array(2 ** 20)],
      ])('unpacks %s', async (__, bytes) => {
        expect(sameBytes(await decode(pack(bytes), encoding), bytes)).toBe(true);
      });

      it('unpacks a view of a larger buffer', async () => {
        const packed = pack(text);
        const buffer = new Uint8Array(packed.length + 200).fill(7);
        buffer.set(packed, 100);
        expect(sameBytes(await decode(buffer.subarray(100, 100 + packed.length), encoding), text)).toBe(true);
      });

      it.each([1, 10, 100])('cut short by %s bytes is ERR_ENCODING', async (bytes) => {
        const packed = pack(noise(1_000));
        expect(await codeOf(() => decode(packed.subarray(0, packed.length - bytes), encoding))).toBe('ERR_ENCODING');
      });

      it('that is something else is ERR_ENCODING', async () => {
        for (const bytes of [text, noise(100), new Uint8Array(100), new TextEncoder().encode('<!doctype html>')]) {
          expect(await codeOf(() => decode(bytes, encoding))).toBe('ERR_ENCODING');
        }
        expect(await codeOf(() => decode(new Uint8Array(0), encoding))).toBe('ERR_ENCODING');
      });

      it('that unpacks to more than is allowed is ERR_TOO_LARGE, to just as much is not', async () => {
        const packed = pack(new Uint8Array(100_000));
        expect(await codeOf(() => decode(packed, encoding, 99_999))).toBe('ERR_TOO_LARGE');
        expect(await decode(packed, encoding, 100_000)).toHaveLength(100_000);
      });

      it('that is a bomb is ERR_TOO_LARGE', async () => {
        const bomb = pack(new Uint8Array(64 * 2 ** 20));
        expect(await codeOf(() => decode(bomb, encoding, 2 ** 20))).toBe('ERR_TOO_LARGE');
      });
    });
  }

  describe('gzip with a lying trailer', () => {
    const packed = zlib.gzipSync(text);
    it.each([0, 1, 10, text.length - 1, text.length + 1, 2 ** 31, 2 ** 32 - 1])(
      'size %s is ERR_ENCODING',
      async (size) => {
        expect(await codeOf(() => decode(lying(packed, size), 'gzip'))).toBe('ERR_ENCODING');
      },
    );

    it('does not make the reader take memory for it', async () => {
      const small = lying(zlib.gzipSync(new Uint8Array(10)), 2 ** 32 - 1);
      const before = process.memoryUsage();
      for (let i = 0; i < 50; i++) await codeOf(() => decode(small, 'gzip'));
      const after = process.memoryUsage();
      expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).toBeLessThan(32 * 2 ** 20);
    });

    it('the wrong checksum is ERR_ENCODING', async () => {
      const copy = Uint8Array.from(packed);
      copy[copy.length - 5] = (copy[copy.length - 5] as number) ^ 1;
      expect(await codeOf(() => decode(copy, 'gzip'))).toBe('ERR_ENCODING');
    });
  });

  it('gzip with something behind it is ERR_ENCODING', async () => {
    const packed = Buffer.concat([zlib.gzipSync(text), Buffer.from('something else')]);
    expect(await codeOf(() => decode(packed, 'gzip'))).toBe('ERR_ENCODING');
  });

  it('leaves the given bytes alone', async () => {
    const packed = zlib.gzipSync(text);
    const copy = Uint8Array.from(packed);
    await decode(packed, 'gzip');
    await codec.gzip(text);
    expect(sameBytes(packed, copy)).toBe(true);
  });
});

describe.each([
  ['zlibCodec', zlibCodec],
  ['webCodec', webCodec],
])('%s, a body in pieces', (_, codec) => {
  it('comes in small ones, however large it is', async () => {
    let [length, largest] = [0, 0];
    for await (const piece of codec.decodeStream(zlib.gzipSync(new Uint8Array(50_000_000)), 'gzip')) {
      length += piece.length;
      largest = Math.max(largest, piece.length);
    }
    expect(length).toBe(50_000_000);
    expect(largest).toBeLessThan(2 ** 20);
  });

  it('may be left before its end', async () => {
    for await (const piece of codec.decodeStream(zlib.gzipSync(noise(5_000_000)), 'gzip')) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
  });

  it('is ERR_TOO_LARGE once it is, though its trailer is silent about it', async () => {
    const packed = Buffer.concat([zlib.gzipSync(new Uint8Array(5_000_000)), zlib.gzipSync(text)]);
    let length = 0;
    const read = async () => {
      for await (const piece of codec.decodeStream(packed, 'gzip', 1_000_000)) length += piece.length;
    };
    expect(await codeOf(read)).toBe('ERR_TOO_LARGE');
    expect(length).toBeLessThanOrEqual(1_000_000);
  });
});

describe('what zlibCodec packed', () => {
  it.each([10, 3_000, 100_000, 2_000_000])('from %i bytes has no more memory to it than it is long', async (length) => {
    for (const effort of [undefined, 'fast'] as const) {
      const packed = await zlibCodec.gzip(noise(length), effort);
      expect(packed.buffer.byteLength).toBe(packed.length);
    }
  });
});

describe('packing what comes in pieces', () => {
  async function* pieces(trouble?: Error): AsyncIterable<Uint8Array> {
    for (let i = 0; i < 40; i++) yield noise(100_000, i + 1);
    if (trouble) throw trouble;
  }
  const pack = zlibCodec.gzipPieces as NonNullable<Codec['gzipPieces']>;

  it('gives gzip of all of them', async () => {
    const all = Buffer.concat(await collect(pieces()));
    for (const effort of [undefined, 'brisk'] as const)
      expect(sameBytes(zlib.gunzipSync(await pack(pieces(), effort)), all)).toBe(true);
  });

  it('of none is an empty body', async () => {
    expect(zlib.gunzipSync(await pack((async function* () {})()))).toHaveLength(0);
  });

  it('ends with the trouble of whoever gives them', async () => {
    const trouble = new Error('the source broke');
    await expect(pack(pieces(trouble))).rejects.toBe(trouble);
  });
});
