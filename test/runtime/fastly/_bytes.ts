/** The contract suites' helpers, with the two that would run for minutes in an interpreter made of what the engine does natively. */
export * from '../../contract/_bytes.ts';

import { randomFrom } from '../../contract/_bytes.ts';

const BLOCK = 4_096;

/** Bytes that look random and are the same in every run: one block of them again and again, each with its number in front. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const next = randomFrom(seed);
  const bytes = new Uint8Array(length);
  const first = Math.min(length, BLOCK);
  for (let i = 0; i < first; i++) bytes[i] = next() * 256;
  for (let filled = first; filled < length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  const view = new DataView(bytes.buffer);
  for (let at = BLOCK; at + 4 <= length; at += BLOCK) view.setUint32(at, at);
  return bytes;
}

/** Whether two arrays hold the same bytes, compared four at a time. */
export function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  if (a?.length !== b.length) return false;
  const words = b.length >> 2;
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) =>
    byteOffset % 4 === 0
      ? new Uint32Array(buffer, byteOffset, words)
      : new Uint32Array(buffer.slice(byteOffset, byteOffset + (length & ~3))),
  ) as [Uint32Array, Uint32Array];
  for (let i = 0; i < words; i++) if (x[i] !== y[i]) return false;
  for (let i = words * 4; i < b.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
