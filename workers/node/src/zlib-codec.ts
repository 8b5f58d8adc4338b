import { type Codec, type Encoding, HttpError, MAX_DECODED_BYTES } from '@_all_docs/http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const gzip = promisify(zlib.gzip);
/** Deflate never packs tighter than this; a trailer that claims more is lying about the size. */
const MOST_RATIO = 1_032;

/** Node's zlib: packs on the thread pool, unpacks in place (half the cost of a round trip through the pool). */
export const zlibCodec: Codec = {
  gzip: (bytes, effort) => gzip(bytes, effort === 'fast' ? { level: 1 } : {}),
  decode(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') return bytes;
    try {
      return unpack(bytes, encoding, maxBytes);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        throw new HttpError('ERR_TOO_LARGE', `the body unpacks to more than ${maxBytes} bytes`);
      }
      throw new HttpError('ERR_ENCODING', `the ${encoding} bytes are damaged`, { cause });
    }
  },
};

function unpack(bytes: Uint8Array, encoding: Encoding, maxOutputLength: number): Uint8Array {
  switch (encoding) {
    case 'gzip':
      return zlib.gunzipSync(bytes, { maxOutputLength, chunkSize: outputSize(bytes) });
    case 'br':
      return zlib.brotliDecompressSync(bytes, { maxOutputLength });
    case 'zstd':
      return zlib.zstdDecompressSync(bytes, { maxOutputLength });
    default:
      return zlib.inflateSync(bytes, { maxOutputLength });
  }
}

/** The size that the gzip trailer names, so that the output is allocated once; within what the input can hold. */
function outputSize(bytes: Uint8Array): number {
  if (bytes.length < 18) return 64;
  const size = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
  return Math.max(64, Math.min(size, bytes.length * MOST_RATIO, 64 * 1024 * 1024));
}
