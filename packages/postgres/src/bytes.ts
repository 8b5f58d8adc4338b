const encoder = new TextEncoder();
// A byte order mark at the start of a key or value belongs to it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function textOf(bytes: unknown): string {
  return decoder.decode(bytes as Uint8Array);
}

/** The UTF-8 bytes of a text in hexadecimal, as SQL's `decode(…, 'hex')` takes them. */
export function hexOf(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += HEX[byte];
  return out;
}

/** Past every text: no UTF-8 has this byte. */
export const END: Uint8Array = Uint8Array.of(0xff);
