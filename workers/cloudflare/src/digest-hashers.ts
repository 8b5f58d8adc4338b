import type { DigestAlgorithm, Hasher, Hashers } from '@_all_docs/content';

/** Hashes as the host computes them while bytes pass. Blobs are addressed by SHA-256 here. */
export const digestHashers: Hashers = {
  address: 'sha256',
  create(algorithm: DigestAlgorithm): Hasher {
    const stream = new crypto.DigestStream(algorithm.replace('sha', 'SHA-'));
    const writer = stream.getWriter();
    return {
      update: (bytes) => writer.write(bytes as Uint8Array<ArrayBuffer>),
      async digest() {
        await writer.close();
        return new Uint8Array(await stream.digest);
      },
    };
  },
};
