/** What the storage contract takes of `node:zlib`, where there is none: zlib's form (RFC 1950) of a short text, in one block as it is. */
export function deflateSync(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const length = [bytes.length & 0xff, bytes.length >> 8];
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  const check = [b >> 8, b & 0xff, a >> 8, a & 0xff];
  return new Uint8Array([0x78, 0x01, 0x01, ...length, ...length.map((byte) => byte ^ 0xff), ...bytes, ...check]);
}
