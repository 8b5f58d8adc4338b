import type { HashAlgorithm } from './hash.js';

/** What integrity strings are made of, beside the hash that a blob is known by. */
export type DigestAlgorithm = HashAlgorithm | 'sha1' | 'sha384';

/** One digest under way. Where the host computes elsewhere, both may answer later. */
export interface Hasher {
  /** The bytes may not change until the digest is made. */
  update(bytes: Uint8Array): void | Promise<void>;
  /** Ends the computation. */
  digest(): Uint8Array | Promise<Uint8Array>;
}

/** What a host knows about hashing. */
export interface Hashers {
  /** What blobs are addressed by here. */
  readonly address: HashAlgorithm;
  /** A new computation. `address`, `sha1`, `sha384` and `sha512` are always there. */
  create(algorithm: DigestAlgorithm): Hasher | Promise<Hasher>;
}
