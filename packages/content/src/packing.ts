/** Packs blobs at rest, for a store whose readers can all unpack them. */
export interface BlobCodec {
  pack(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Throws for what `pack` did not make, and for what unpacks to more than `maxBytes`. */
  unpack(bytes: Uint8Array, maxBytes: number): Uint8Array | Promise<Uint8Array>;
}

/** What is packed passes through memory as a whole, so that its length is known when it is read. */
export const LARGEST_PACKED = 4 * 1024 * 1024;

/** Content as it is to be written: in one piece, where it is small enough, and packed, where that makes it smaller by a tenth. */
export async function packed(
  codec: BlobCodec,
  source: AsyncIterable<Uint8Array>,
): Promise<{ source: AsyncIterable<Uint8Array>; packed: boolean }> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let length = 0;
  while (length <= LARGEST_PACKED) {
    const { done, value } = await iterator.next();
    if (done) {
      const whole = join(pieces, length);
      const small = await codec.pack(whole);
      const helps = small.length < whole.length * 0.9;
      return { source: once(helps ? small : whole), packed: helps };
    }
    pieces.push(value);
    length += value.length;
  }
  return { source: followedBy(pieces, iterator), packed: false };
}

/** One array out of many pieces; the piece itself where there is only one. */
export function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (first && pieces.length === 1) return first;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The bytes as a source of one piece. */
export async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* followedBy(pieces: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* pieces;
  yield* { [Symbol.asyncIterator]: () => rest };
}
