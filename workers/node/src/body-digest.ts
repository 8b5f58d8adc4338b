import { hash } from 'node:crypto';

/** The bytes' hash, SHA-256 unless told, as a subresource-integrity string. */
export function bodyDigest(body: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): string {
  return `${algorithm}-${hash(algorithm, body, 'base64')}`;
}

/** Whether the bytes are those of a digest; a digest of a kind unknown here says nothing. */
export function matchesDigest(body: Uint8Array, digest: string | undefined): boolean {
  const [, algorithm, value] = /^(sha256|sha384|sha512)-(.+)$/.exec(digest ?? '') ?? [];
  return algorithm === undefined || hash(algorithm, body, 'base64') === value;
}

/** The same, but no for a digest of a kind unknown here: for bytes of which nothing else is known. */
export function knowsDigest(body: Uint8Array, digest: string): boolean {
  return /^sha(256|384|512)-/.test(digest) && matchesDigest(body, digest);
}
