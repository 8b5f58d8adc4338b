import {
  type Codec,
  collect,
  damaged,
  type Effort,
  type Encoding,
  MAX_DECODED_BYTES,
  tooLarge,
  unpacked,
} from '@_all_docs/http';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const gzip = promisify(zlib.gzip);
/** A small window is faster on rows and documents, and they come out no larger; one piece of output is one trip to the pool. */
const FAST = { level: 1, windowBits: 12 };
const BRISK = { level: 3, chunkSize: 64 * 1024 };

interface Packing {
  /** Below this the way to the thread pool and back costs more than the packing. */
  smallBytes: number;
  inPlace: zlib.ZlibOptions;
  onPool: zlib.ZlibOptions;
  inPieces: zlib.ZlibOptions;
}

const USUAL: Packing = { smallBytes: 32 * 1024, inPlace: {}, onPool: {}, inPieces: {} };
const PACKING: Record<Effort, Packing> = {
  fast: { smallBytes: 32 * 1024, inPlace: FAST, onPool: { ...FAST, chunkSize: 512 * 1024 }, inPieces: FAST },
  // What comes in pieces repeats itself over distances that level 3 does not look at: it would come out twice the size.
  brisk: { smallBytes: 192 * 1024, inPlace: BRISK, onPool: BRISK, inPieces: { level: 4 } },
};
/** Room past the end: zlib asks for another buffer as soon as one is full, though nothing may follow. */
const SPARE_BYTES = 64;
/** Deflate never packs tighter than this; a trailer that claims more is lying about the size. */
const MOST_RATIO = 1_032;
/** What is unpacked at a time of a body that comes in pieces. */
const PIECE_BYTES = 128 * 1024;

/**
 * Node's zlib: packs on the thread pool what is not small, unpacks in place (half the cost of a round trip through the pool), but for what
 * comes in pieces.
 */
export const zlibCodec: Codec = {
  gzip(bytes, effort) {
    const { smallBytes, onPool } = packingFor(effort);
    return bytes.length < smallBytes ? packInPlace(bytes, effort) : gzip(bytes, onPool).then(alone);
  },
  async gzipPieces(pieces, effort) {
    const packer = zlib.createGzip({ ...packingFor(effort).inPieces, chunkSize: PIECE_BYTES });
    const [packed] = await Promise.all([collect(packer), pipeline(pieces, packer)]);
    return packed;
  },
  decode(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') return bytes;
    const size = claimedSize(bytes, encoding, maxBytes);
    try {
      return unpack(bytes, encoding, maxBytes, size);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
      throw damaged(encoding, cause);
    }
  },
  async *decodeStream(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') {
      yield bytes;
      return;
    }
    claimedSize(bytes, encoding, maxBytes);
    yield* unpacked(unpacker(encoding).end(bytes), encoding, maxBytes);
  },
};

/** The same for a thread that nobody else waits for: there the thread pool is only a detour. */
export const inPlaceCodec: Codec = { ...zlibCodec, gzip: packInPlace };

function packInPlace(bytes: Uint8Array, effort?: Effort): Uint8Array {
  return alone(zlib.gzipSync(bytes, packingFor(effort).inPlace));
}

function packingFor(effort: Effort | undefined): Packing {
  return effort ? PACKING[effort] : USUAL;
}

function unpack(
  bytes: Uint8Array,
  encoding: Exclude<Encoding, 'identity'>,
  maxOutputLength: number,
  size: number,
): Uint8Array {
  switch (encoding) {
    case 'gzip':
      // The output is allocated once; memory that stays untouched costs nothing.
      return zlib.gunzipSync(bytes, { maxOutputLength, chunkSize: size + SPARE_BYTES });
    case 'br':
      return zlib.brotliDecompressSync(bytes, { maxOutputLength });
    case 'zstd':
      return zlib.zstdDecompressSync(bytes, { maxOutputLength });
    case 'deflate':
      return zlib.inflateSync(bytes, { maxOutputLength });
  }
}

function unpacker(encoding: Exclude<Encoding, 'identity'>): Transform {
  const options = { chunkSize: PIECE_BYTES };
  switch (encoding) {
    case 'gzip':
      return zlib.createGunzip(options);
    case 'br':
      return zlib.createBrotliDecompress(options);
    case 'zstd':
      return zlib.createZstdDecompress(options);
    case 'deflate':
      return zlib.createInflate(options);
  }
}

/**
 * The size that a gzip trailer names; 0 when there is none, or one that the bytes cannot hold. A size past `maxBytes` is
 * `ERR_TOO_LARGE` before any work: if it should be false, the bytes are damaged, and no better.
 */
function claimedSize(bytes: Uint8Array, encoding: Encoding, maxBytes: number): number {
  if (encoding !== 'gzip' || bytes.length < 18) return 0;
  const size = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
  if (size > bytes.length * MOST_RATIO) return 0;
  if (size > maxBytes) throw tooLarge(maxBytes);
  return size;
}

/** Without the rest of the buffer that zlib wrote them to: whoever keeps a small document in memory would keep all of it. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
