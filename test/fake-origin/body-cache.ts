const DEFAULT_BYTES = 256 * 1024 * 1024;

/** Bodies by ETag, least recently used first out. Concurrent askers of one body share one rendering. */
export class BodyCache {
  #most: number;
  #bytes = 0;
  #bodies = new Map<string, Buffer>();
  #pending = new Map<string, Promise<Buffer>>();

  constructor(most: number = DEFAULT_BYTES) {
    this.#most = most;
  }

  get(etag: string, make: () => Promise<Buffer>): Promise<Buffer> | Buffer {
    const body = this.#bodies.get(etag);
    if (body) {
      this.#bodies.delete(etag);
      this.#bodies.set(etag, body);
      return body;
    }
    return this.#pending.get(etag) ?? this.#make(etag, make);
  }

  #make(etag: string, make: () => Promise<Buffer>): Promise<Buffer> {
    const made = make()
      .then((body) => this.#keep(etag, body))
      .finally(() => this.#pending.delete(etag));
    this.#pending.set(etag, made);
    return made;
  }

  #keep(etag: string, body: Buffer): Buffer {
    this.#bodies.set(etag, body);
    this.#bytes += body.length;
    for (const [oldest, old] of this.#bodies) {
      if (this.#bytes <= this.#most) break;
      this.#bodies.delete(oldest);
      this.#bytes -= old.length;
    }
    return body;
  }
}
