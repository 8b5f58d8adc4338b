const encoder = new TextEncoder();
const WORD = 2 ** 32;

/** 64 bits (FNV-1a) over a text, as 16 hex digits: tells one list from another at once. No defence against forgers. */
export function fingerprint(text: string): string {
  // In two halves of 32 bits, multiplied by 2^40 + 435: a document's tag is made with it, and `BigInt` is slow.
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  const bytes = encoder.encode(text);
  // By index: engines without a compiler take ten times as long over an iterator.
  for (let i = 0; i < bytes.length; i++) {
    low = (low ^ (bytes[i] as number)) >>> 0;
    const product = low * 435;
    high = (high * 435 + Math.floor(product / WORD) + low * 256) % WORD;
    low = product % WORD;
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
