import { type Codec, damaged, type Encoding, HttpError, MAX_DECODED_BYTES, tooLarge, unpacked } from '@_all_docs/http';

/**
 * Gzip and deflate as the host has them, whole bodies at once: what goes through pieces goes through an interpreter. The
 * host takes gzip that was cut for a whole body; its own last four bytes tell (RFC 1952: the length, modulo 2^32).
 */
export const hostCodec: Codec = {
  gzip: (bytes) => through(bytes, new CompressionStream('gzip')),
  async decode(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') return bytes;
    const said = encoding === 'gzip' ? lengthIn(bytes) : undefined;
    if (said !== undefined && said > maxBytes) throw tooLarge(maxBytes);
    const transform = new DecompressionStream(known(encoding));
    const plain = await through(bytes, transform).catch((cause) => {
      throw damaged(encoding, cause);
    });
    if (plain.length > maxBytes) throw tooLarge(maxBytes);
    if (said !== undefined && said !== plain.length) throw cut();
    return plain;
  },
  async *decodeStream(bytes, encoding, maxBytes = MAX_DECODED_BYTES) {
    if (encoding === 'identity') {
      yield bytes;
      return;
    }
    let length = 0;
    const pieces = streamOf(bytes).pipeThrough(new DecompressionStream(known(encoding)));
    for await (const piece of unpacked(pieces as unknown as AsyncIterable<Uint8Array>, encoding, maxBytes)) {
      length += piece.length;
      yield piece;
    }
    if (encoding === 'gzip' && length !== lengthIn(bytes)) throw cut();
  },
};

function known(encoding: Encoding): 'gzip' | 'deflate' {
  if (encoding === 'gzip' || encoding === 'deflate') return encoding;
  throw new HttpError('ERR_ENCODING', `cannot decode ${encoding} on this runtime`);
}

/** The length that gzip says at its end: of one member, which is how servers send it. */
function lengthIn(bytes: Uint8Array): number {
  if (bytes.length < 18) throw cut();
  return new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
}

function cut(): HttpError {
  return damaged('gzip', new Error('the end is missing'));
}

function streamOf(bytes: Uint8Array): ReadableStream {
  return new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
}

async function through(bytes: Uint8Array, transform: CompressionStream | DecompressionStream): Promise<Uint8Array> {
  return new Uint8Array(await new Response(streamOf(bytes).pipeThrough(transform)).arrayBuffer());
}
