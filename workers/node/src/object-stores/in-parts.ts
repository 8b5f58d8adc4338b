/** The same bytes in pieces of exactly that length, but for the last; at least one piece, empty for no bytes. */
export async function* inParts(source: AsyncIterable<Uint8Array>, bytes: number): AsyncIterable<Uint8Array> {
  let part = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  let isFirst = true;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(piece.length - at, bytes - filled);
      part.set(piece.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < bytes) continue;
      yield part;
      isFirst = false;
      part = Buffer.allocUnsafeSlow(bytes);
      filled = 0;
    }
  }
  if (filled > 0 || isFirst) yield part.subarray(0, filled);
}
