import { type Codec, collect, damaged, type Encoding, HttpError, MAX_DECODED_BYTES, unpacked } from '@_all_docs/http';

/**
 * Gzip and deflate as the host has them. The host takes gzip that was cut for a whole body; its own last four bytes tell
 * (RFC 1952: the length, modulo 2^32).
 */
export const hostCodec: Codec = {
  gzip: async (bytes) =>
    new Uint8Array(await new Response(streamOf(bytes).pipeThrough(new CompressionStream('gzip'))).arrayBuffer()),
  decode: async (bytes, encoding, maxBytes) =>
    encoding === 'identity' ? bytes : collect(hostCodec.decodeStream(bytes, encoding, maxBytes)),
  async *decodeStream(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') {
      yield bytes;
      return;
    }
    let length = 0;
    const pieces = untilLeft(streamOf(bytes).pipeThrough(new DecompressionStream(known(encoding))));
    for await (const piece of unpacked(pieces, encoding, maxBytes)) {
      length += piece.length;
      yield piece;
    }
    if (encoding === 'gzip' && length !== lengthIn(bytes)) throw damaged('gzip', new Error('the end is missing'));
  },
};

/** The pieces of a stream. Whoever leaves early only stops reading: the engine ends the sandbox when such a stream is cancelled. */
function untilLeft(stream: ReadableStream): AsyncIterable<Uint8Array> {
  const reader = stream.getReader();
  return { [Symbol.asyncIterator]: () => ({ next: () => reader.read() as Promise<IteratorResult<Uint8Array>> }) };
}

function known(encoding: Encoding): 'gzip' | 'deflate' {
  if (encoding === 'gzip' || encoding === 'deflate') return encoding;
  throw new HttpError('ERR_ENCODING', `cannot decode ${encoding} on this runtime`);
}

/** The length that gzip says at its end: of one member, which is how servers send it. `undefined` for what is too short. */
function lengthIn(bytes: Uint8Array): number | undefined {
  if (bytes.length < 18) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
}

function streamOf(bytes: Uint8Array): ReadableStream {
  return new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
}
