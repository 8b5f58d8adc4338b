import type { Encoding } from '@_all_docs/http';
import { once } from 'node:events';
import { createGzip, type Gzip } from 'node:zlib';

/** Holds the sender back for a while. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/**
 * A large body while it is received. It is held once, compressed: packed on the way when it comes plain, and kept in
 * memory that grows in place, so that there is never a second copy of it.
 */
export class LargeBody {
  readonly #buffer: ArrayBuffer;
  readonly #encoding: Encoding;
  readonly #flow: Flow;
  readonly #gzip: Gzip | undefined;
  #length = 0;

  /** For a body of at most `maxBytes` as it is sent. */
  constructor(encoding: Encoding, maxBytes: number, flow: Flow) {
    // Room is set aside in the address space only; what does not pack grows by less than a thousandth.
    this.#buffer = new ArrayBuffer(0, { maxByteLength: Math.ceil(maxBytes * 1.001) + 1024 });
    this.#encoding = encoding;
    this.#flow = flow;
    if (encoding !== 'identity') return;
    this.#gzip = createGzip();
    this.#gzip.on('data', (packed: Uint8Array) => this.#append(packed));
    this.#gzip.on('drain', () => flow.resume());
  }

  push(chunk: Uint8Array): void {
    if (!this.#gzip) this.#append(chunk);
    else if (!this.#gzip.write(chunk)) this.#flow.pause();
  }

  /** The whole body, compressed, after the last piece. */
  async end(): Promise<{ body: Uint8Array; encoding: Encoding }> {
    if (this.#gzip) await once(this.#gzip.end(), 'end');
    this.#buffer.resize(this.#length);
    return { body: new Uint8Array(this.#buffer, 0, this.#length), encoding: this.#gzip ? 'gzip' : this.#encoding };
  }

  /** Lets go of a body that will not be whole. */
  destroy(): void {
    this.#gzip?.destroy();
  }

  #append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#buffer.byteLength) {
      this.#buffer.resize(Math.min(this.#buffer.maxByteLength, Math.max(length, 2 * this.#buffer.byteLength)));
    }
    new Uint8Array(this.#buffer, this.#length).set(piece);
    this.#length = length;
  }
}
