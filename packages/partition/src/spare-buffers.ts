const MOST_BUFFERS = 4;
const MOST_BYTES = 4 * 1024 * 1024;

/** A few buffers to use again. A listing writes a text of a megabyte for each page: as fresh ones they would keep the collector busy. */
export class SpareBuffers {
  readonly #buffers: ArrayBufferLike[] = [];

  /** At least so many bytes, of whatever was in them before. */
  take(size: number): Uint8Array {
    const spare = this.#buffers.pop();
    return new Uint8Array(spare && spare.byteLength >= size ? spare : new ArrayBuffer(Math.ceil(1.25 * size)));
  }

  /** Takes back what nobody reads any more. */
  give({ buffer }: Uint8Array): void {
    if (this.#buffers.length < MOST_BUFFERS && buffer.byteLength <= MOST_BYTES) this.#buffers.push(buffer);
  }
}
