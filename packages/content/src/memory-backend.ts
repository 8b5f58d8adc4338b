import { compareBytes } from '@_all_docs/cache';
import { assertRange, type BlobBackend, type BlobStat, type ByteRange } from './backend.js';
import { join, once } from './packing.js';

/** The reference {@link BlobBackend}: blobs in memory, gone with the process. */
export class MemoryBlobBackend implements BlobBackend {
  readonly #blobs = new Map<string, { bytes: Uint8Array; modifiedAt: number }>();
  readonly #clock: { now(): number };

  constructor(clock: { now(): number } = Date) {
    this.#clock = clock;
  }

  async read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    const blob = this.#blobs.get(path);
    if (!blob) return undefined;
    if (range) assertRange(range, blob.bytes.length);
    return once(blob.bytes.slice(range?.start, range?.end));
  }

  async write(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const bytes of source) {
      // A copy: a source may use its buffer again.
      pieces.push(bytes.slice());
      length += bytes.length;
    }
    const name = typeof path === 'string' ? path : await path();
    this.#blobs.set(name, { bytes: join(pieces, length), modifiedAt: this.#clock.now() });
  }

  async stat(path: string): Promise<BlobStat | undefined> {
    const blob = this.#blobs.get(path);
    return blob && { size: blob.bytes.length, modifiedAt: blob.modifiedAt };
  }

  async *list(prefix: string): AsyncIterable<string> {
    yield* [...this.#blobs.keys()].filter((path) => path.startsWith(prefix)).sort(compareBytes);
  }

  async delete(path: string): Promise<void> {
    this.#blobs.delete(path);
  }
}
