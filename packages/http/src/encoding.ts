import { HttpError } from './errors.js';
import type { Encoding } from './transport.js';

/** No document of the registry is larger: the registry's own cap is 100 MB raw. */
export const MAX_DECODED_BYTES = 256 * 1024 * 1024;

/**
 * What a host knows about compression. Node hands in zlib; everywhere else {@link webCodec} does.
 * Both functions may answer at once or later, so callers `await` them.
 */
export interface Codec {
  /** `fast` asks for speed where the host can choose: for bodies that are many, alike and ours alone. */
  gzip(bytes: Uint8Array, effort?: 'fast'): Uint8Array | Promise<Uint8Array>;
  /** Identity bytes. Rejects with `ERR_ENCODING` for damaged or unknown coding, `ERR_TOO_LARGE` past `maxBytes`. */
  decode(bytes: Uint8Array, encoding: Encoding, maxBytes?: number): Uint8Array | Promise<Uint8Array>;
}

/** The codec of the web platform: `CompressionStream` and `DecompressionStream`; gzip, deflate and identity only. */
export const webCodec: Codec = {
  gzip: (bytes) => collect(pipe(bytes, new CompressionStream('gzip')), Number.POSITIVE_INFINITY),
  async decode(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') return bytes;
    if (encoding !== 'gzip' && encoding !== 'deflate') {
      throw new HttpError('ERR_ENCODING', `cannot decode ${encoding} on this runtime`);
    }
    try {
      return await collect(pipe(bytes, new DecompressionStream(encoding)), maxBytes);
    } catch (cause) {
      if (cause instanceof HttpError) throw cause;
      throw new HttpError('ERR_ENCODING', `the ${encoding} bytes are damaged`, { cause });
    }
  },
};

/** `Content-Encoding` as an {@link Encoding}; a chain of codings or an unknown one is `ERR_ENCODING`. */
export function parseEncoding(header: string | undefined): Encoding {
  const value = header?.trim().toLowerCase() ?? '';
  if (value === '' || value === 'identity') return 'identity';
  if (value === 'gzip' || value === 'x-gzip') return 'gzip';
  if (value === 'br' || value === 'deflate' || value === 'zstd') return value;
  throw new HttpError('ERR_ENCODING', `the origin answered with an unknown content-encoding: ${value.slice(0, 80)}`);
}

function pipe(bytes: Uint8Array, through: CompressionStream | DecompressionStream): ReadableStream<Uint8Array> {
  return new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(through);
}

async function collect(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new HttpError('ERR_TOO_LARGE', `the body unpacks to more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return concat(chunks, length);
}

/** One array of `length` bytes out of many. */
export function concat(chunks: readonly Uint8Array[], length: number): Uint8Array {
  if (chunks.length === 1 && chunks[0]) return chunks[0];
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
