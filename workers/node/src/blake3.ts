import type { DigestAlgorithm, Hasher, Hashers } from '@_all_docs/content';
import { createHash } from 'node:crypto';

type Native = typeof import('@napi-rs/blake-hash');

/** Small pieces are gathered up to this: a call into native code costs as much as hashing several kilobytes. */
const BATCH_BYTES = 64 * 1024;

/** BLAKE3 by native code, which is loaded when it is first needed; the rest by `node:crypto`. */
export function createNodeHashers(): Hashers {
  let native: Native | undefined;
  const load = async () => {
    native ??= await import('@napi-rs/blake-hash');
    return new Blake3(native);
  };
  return {
    address: 'blake3',
    create(algorithm: DigestAlgorithm): Hasher | Promise<Hasher> {
      if (algorithm !== 'blake3') return cryptoHasher(algorithm);
      return native ? new Blake3(native) : load();
    },
  };
}

function cryptoHasher(algorithm: DigestAlgorithm): Hasher {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}

class Blake3 implements Hasher {
  readonly #native: Native;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #hasher: InstanceType<Native['Blake3Hasher']> | undefined;

  constructor(native: Native) {
    this.#native = native;
  }

  update(bytes: Uint8Array): void {
    if (this.#length >= BATCH_BYTES) this.#flush();
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  digest(): Uint8Array {
    // The way through a hasher costs twice as much as one call for content that came in one batch.
    if (!this.#hasher) return this.#native.blake3(this.#gathered());
    this.#flush();
    return this.#hasher.digestBuffer();
  }

  #flush(): void {
    this.#hasher ??= new this.#native.Blake3Hasher();
    this.#hasher.update(this.#gathered());
    this.#pieces = [];
    this.#length = 0;
  }

  #gathered(): Uint8Array {
    const [first] = this.#pieces;
    return first && this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces);
  }
}
