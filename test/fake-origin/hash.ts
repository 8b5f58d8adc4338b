/** Seeded, order-free randomness: everything the fake knows is a pure function of (seed, name, number). */

/** Finaliser of a 32-bit hash: every input bit reaches every output bit. */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Hash of a text's UTF-16 units. */
export function hashText(text: string, seed: number): number {
  let h = mix(seed) ^ 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

/** Hash of `bytes[start, end)`. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return mix(h);
}

/** A stream of numbers in [0, 1) (mulberry32). */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number in [0, 1) from a hash. */
export function unit(hash: number): number {
  return hash / 4294967296;
}

const HEX16 = Array.from({ length: 65536 }, (_, i) => i.toString(16).padStart(4, '0'));

function hex8(word: number): string {
  return (HEX16[word >>> 16] as string) + (HEX16[word & 0xffff] as string);
}

/** 32 lower-case hex digits that depend on both texts' hashes and on `salt`. */
export function hex32(a: number, b: number, salt: number): string {
  const s = mix(salt + 0x9e3779b9);
  const c = mix(a ^ s);
  const d = mix(b + s);
  return hex8(c) + hex8(d) + hex8(mix(c + b)) + hex8(mix(d ^ a));
}
