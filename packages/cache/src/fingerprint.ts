const encoder = new TextEncoder();
const WORD = 2 ** 32;

/** 64 bits (FNV-1a) over a text, as 16 hex digits: tells one list from another at once. No defence against forgers. */
export function fingerprint(text: string): string {
  // In two halves of 32 bits, multiplied by 2^40 + 435: a document's tag is made with it, and `BigInt` is slow.
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of encoder.encode(text)) {
    low = (low ^ byte) >>> 0;
    const product = low * 435;
    high = (high * 435 + Math.floor(product / WORD) + low * 256) % WORD;
    low = product % WORD;
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
