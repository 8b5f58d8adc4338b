import { ContentError } from './errors.js';

/**
 * What blobs are addressed by: BLAKE3; SHA-256 where BLAKE3 is too slow to compute; SHA-512 where a blob must have its name
 * before its bytes are there, since `dist.integrity` tells that one.
 */
export type HashAlgorithm = 'blake3' | 'sha256' | 'sha512';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The digest that a blob is known by, and the algorithm that made it. */
export class Hash {
  readonly algorithm: HashAlgorithm;
  readonly #hex: string;

  /** From the digest's 32 bytes (64 for SHA-512), or its lower-case hex digits. `ERR_BAD_HASH` for anything else. */
  constructor(digest: Uint8Array | string, algorithm: HashAlgorithm = 'blake3') {
    const hex = typeof digest === 'string' ? digest : toHex(digest);
    const bytes = algorithm === 'sha512' ? 64 : 32;
    if (hex.length !== 2 * bytes || /[^0-9a-f]/.test(hex)) {
      throw new ContentError('ERR_BAD_HASH', `not a hash of ${bytes} bytes: ${JSON.stringify(hex.slice(0, 100))}`);
    }
    this.#hex = hex;
    this.algorithm = algorithm;
  }

  /** The hash that an {@link id} names; of 64 hex digits alone, a BLAKE3 hash. `ERR_BAD_HASH` for any other text. */
  static parse(text: string): Hash {
    const [, algorithm, digest] = /^(sha256|sha512):(.*)$/s.exec(text) ?? [];
    return digest === undefined ? new Hash(text) : new Hash(digest, algorithm as HashAlgorithm);
  }

  /** Lower-case hex digits. */
  toString(): string {
    return this.#hex;
  }

  /** The folder: the first two digits, so that no folder holds more than a 256th of all blobs. */
  dir(): string {
    return this.#hex.slice(0, 2);
  }

  /** The text that names hash and algorithm, as rows spell it: the hex digits, with `sha256:` or `sha512:` before those of another algorithm than BLAKE3. */
  get id(): string {
    return this.algorithm === 'blake3' ? this.#hex : `${this.algorithm}:${this.#hex}`;
  }

  /** Where the blob lies: `blobs/ab/abcd…`, `blobs/sha256/ab/abcd…` or `blobs/sha512/ab/abcd…`. */
  get path(): string {
    const folder = this.algorithm === 'blake3' ? 'blobs' : `blobs/${this.algorithm}`;
    return `${folder}/${this.dir()}/${this.#hex}`;
  }

  equals(other: Hash): boolean {
    return this.id === other.id;
  }
}

function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}
