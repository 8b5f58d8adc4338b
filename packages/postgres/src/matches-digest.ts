/** Whether the bytes are those of a digest, by WebCrypto; a digest of a kind unknown here says nothing. */
export async function matchesDigest(body: Uint8Array, digest: string): Promise<boolean> {
  const [, bits, value] = /^sha(256|384|512)-(.+)$/.exec(digest) ?? [];
  if (bits === undefined) return true;
  const hash = new Uint8Array(await crypto.subtle.digest(`SHA-${bits}`, body as Uint8Array<ArrayBuffer>));
  return btoa(String.fromCharCode(...hash)) === value;
}
