import {
  type BlobCodec,
  type Hash,
  type Hashers,
  MemoryBlobBackend,
  Store,
  type StoreOptions,
} from '@_all_docs/content';
import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** `node:crypto` throughout: SHA-256 stands in for BLAKE3, which it does not have and whose bytes are as many. */
export function testHashers(address: 'blake3' | 'sha256' = 'blake3'): Hashers {
  return {
    address,
    create(algorithm) {
      const hash = createHash(algorithm === 'blake3' ? 'sha256' : algorithm);
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
    },
  };
}

/** A codec for stores that have one: what is packed is unlike the content, and what was not packed by it is refused. */
export const testCodec: BlobCodec = {
  pack: (bytes) => deflateRawSync(bytes),
  unpack: (bytes, maxOutputLength) => inflateRawSync(bytes, { maxOutputLength }),
};

/** Time that moves when it is told to. */
class TestClock {
  time = 1_700_000_000_000;
  now = () => this.time;
  sleep = async () => undefined;
}

export function memoryStore(more: Partial<StoreOptions> = {}, clock = new TestClock()) {
  const backend = new MemoryBlobBackend(clock);
  return { backend, clock, store: new Store({ backend, hashers: testHashers(), ...more }) };
}

export async function* sourceOf(...pieces: (Uint8Array | string)[]): AsyncIterable<Uint8Array> {
  for (const piece of pieces) yield typeof piece === 'string' ? new TextEncoder().encode(piece) : piece;
}

export async function wholeOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** What a store holds for a hash. */
export async function read(store: Store, hash: Hash): Promise<Buffer | undefined> {
  const blob = await store.get(hash);
  return blob && wholeOf(blob.stream());
}

export function sri(algorithm: string, bytes: Uint8Array | string): string {
  return `${algorithm}-${createHash(algorithm).update(bytes).digest('base64')}`;
}
