import { ContentError, type DigestAlgorithm, type Hasher, type Hashers } from '@_all_docs/content';
import { concat } from '@_all_docs/http';

const NAMES: Partial<Record<DigestAlgorithm, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
};
/** A sandbox has 128 MB for everything. */
const MOST_HASHED_BYTES = 40 * 1024 * 1024;

/**
 * Digests as the host computes them: at once, some 80 MB/s. A digest in JavaScript would be 200 times as slow, so the
 * pieces are held until the end; more than 40 MiB are `ERR_BLOB_TOO_LARGE`.
 */
export const hostHashers: Hashers = {
  address: 'sha256',
  create: (algorithm) => new WholeHasher(algorithm),
};

class WholeHasher implements Hasher {
  readonly #name: string;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(algorithm: DigestAlgorithm) {
    const name = NAMES[algorithm];
    if (name === undefined) throw new ContentError('ERR_BAD_HASH', `${algorithm} is not computed on this runtime`);
    this.#name = name;
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > MOST_HASHED_BYTES) {
      throw new ContentError('ERR_BLOB_TOO_LARGE', `over ${MOST_HASHED_BYTES} bytes cannot be checked on this runtime`);
    }
    this.#pieces.push(bytes);
  }

  async digest(): Promise<Uint8Array> {
    const whole = concat(this.#pieces, this.#length);
    return new Uint8Array(await crypto.subtle.digest(this.#name, whole as Uint8Array<ArrayBuffer>));
  }
}
