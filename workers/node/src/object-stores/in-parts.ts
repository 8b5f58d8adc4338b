/**
 * The same bytes in pieces of exactly that length, but for the last; at least one piece, empty for no bytes. Buffers that
 * the reader has done with and put into `spare` are used again: memory outside of the heap is collected late.
 */
export async function* inParts(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
  spare: Uint8Array[] = [],
): AsyncIterable<Uint8Array> {
  const next = () => spare.pop() ?? Buffer.allocUnsafeSlow(bytes);
  let part = next();
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
      part = next();
      filled = 0;
    }
  }
  if (filled > 0 || isFirst) yield part.subarray(0, filled);
}
