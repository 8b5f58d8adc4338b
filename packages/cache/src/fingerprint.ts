const encoder = new TextEncoder();

/** 64 bits (FNV-1a) over a text, as 16 hex digits: tells one list from another at once. No defence against forgers. */
export function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of encoder.encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}
