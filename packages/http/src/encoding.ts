import { HttpError } from './errors.js';
import type { Encoding } from './transport.js';

/** No document of the registry is larger: the registry's own cap is 100 MB raw. */
export const MAX_DECODED_BYTES = 256 * 1024 * 1024;

/** Bodies above this are handled in pieces: neither a transport nor a check holds one whole and unpacked. */
export const LARGE_BODY_BYTES = 8 * 1024 * 1024;

/**
 * How hard to pack: `fast` for bodies that are many, alike and ours alone; `brisk` for those that somebody waits for, half
 * the work for a fifth more bytes; as gzip does by itself unless told.
 */
export type Effort = 'fast' | 'brisk';

/**
 * What a host knows about compression. Node hands in zlib; everywhere else {@link webCodec} does.
 * `gzip` and `decode` may answer at once or later, so callers `await` them.
 */
export interface Codec {
  /** {@link Effort} asks for speed where the host can choose. */
  gzip(bytes: Uint8Array, effort?: Effort): Uint8Array | Promise<Uint8Array>;
  /** Identity bytes. Rejects with `ERR_ENCODING` for damaged or unknown coding, `ERR_TOO_LARGE` past `maxBytes`. */
  decode(bytes: Uint8Array, encoding: Encoding, maxBytes?: number): Uint8Array | Promise<Uint8Array>;
  /** {@link gzip} for a body that comes in pieces, where the host has something better than `CompressionStream`. Rejects with what `pieces` throws. */
  gzipPieces?(pieces: AsyncIterable<Uint8Array>, effort?: Effort): Promise<Uint8Array>;
  /** {@link decode} in pieces, for bodies too large to be held unpacked. An error comes after the pieces before the trouble. */
  decodeStream(bytes: Uint8Array, encoding: Encoding, maxBytes?: number): AsyncIterable<Uint8Array>;
}

/** The codec of the web platform: `CompressionStream` and `DecompressionStream`; gzip, deflate and identity only. */
export const webCodec: Codec = {
  gzip: (bytes) => collect(pipe(bytes, new CompressionStream('gzip'))),
  decode: async (bytes, encoding, maxBytes) =>
    encoding === 'identity' ? bytes : collect(webCodec.decodeStream(bytes, encoding, maxBytes)),
  async *decodeStream(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') {
      yield bytes;
      return;
    }
    if (encoding !== 'gzip' && encoding !== 'deflate') {
      throw new HttpError('ERR_ENCODING', `cannot decode ${encoding} on this runtime`);
    }
    yield* unpacked(pipe(bytes, new DecompressionStream(encoding)), encoding, maxBytes);
  },
};

/** The pieces that a host's unpacking gives, held to the limit; its trouble is `ERR_ENCODING`. */
export async function* unpacked(
  pieces: AsyncIterable<Uint8Array>,
  encoding: Encoding,
  maxBytes: number,
): AsyncIterable<Uint8Array> {
  let length = 0;
  try {
    for await (const piece of pieces) {
      length += piece.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      yield piece;
    }
  } catch (cause) {
    throw cause instanceof HttpError ? cause : damaged(encoding, cause);
  }
}

/** The error for bytes that are not what their coding says. */
export function damaged(encoding: Encoding, cause: unknown): HttpError {
  return new HttpError('ERR_ENCODING', `the ${encoding} bytes are damaged`, { cause });
}

/** The error for a body that unpacks to more than is allowed. */
export function tooLarge(maxBytes: number): HttpError {
  return new HttpError('ERR_TOO_LARGE', `the body unpacks to more than ${maxBytes} bytes`);
}

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

/** The pieces as one array. */
export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of pieces) {
    length += chunk.length;
    chunks.push(chunk);
  }
  return concat(chunks, length);
}

/** Smaller ones may be views of a buffer that a host shares between many. */
const LEAST_RELEASED_BYTES = 64 * 1024;

/**
 * Gives the memory of unpacked bytes back at once. The collector sees only the small object in front of it, and lets
 * dozens of dead documents pile up. For bytes that nobody else has a view of: they are empty afterwards.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (byteLength >= LEAST_RELEASED_BYTES && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
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
