import { concat } from '@_all_docs/http';

const encoder = new TextEncoder();
const OPEN = encoder.encode('{');
const CLOSE = encoder.encode('}');
const MOST_KEYS = 256;

/** Writes a JSON object member by member; what was written so far can be taken away at any time. */
export class ObjectWriter {
  #pieces: Uint8Array[] = [OPEN];
  #length = 1;
  #comma = false;
  /** Keys as they are written, after a comma and without: the same few come again and again. */
  readonly #keys = { first: new Map<string, Uint8Array>(), next: new Map<string, Uint8Array>() };

  /** A member whose value is JSON text. */
  member(key: string, value: string | Uint8Array): void {
    this.#key(key);
    this.#write(typeof value === 'string' ? encoder.encode(value) : value);
    this.#comma = true;
  }

  /** A member that is an object; its members follow, up to {@link leave}. */
  enter(key: string): void {
    this.#key(key);
    this.#write(OPEN);
    this.#comma = false;
  }

  /** Ends the object that was entered, or the whole. */
  leave(): void {
    this.#write(CLOSE);
    this.#comma = true;
  }

  /** What was written since the last call. */
  take(): Uint8Array {
    const bytes = concat(this.#pieces, this.#length);
    this.#pieces = [];
    this.#length = 0;
    return bytes;
  }

  #key(key: string): void {
    const known = this.#comma ? this.#keys.next : this.#keys.first;
    let bytes = known.get(key);
    if (!bytes) {
      bytes = encoder.encode(`${this.#comma ? ',' : ''}${JSON.stringify(key)}:`);
      if (known.size < MOST_KEYS) known.set(key, bytes);
    }
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }
}
