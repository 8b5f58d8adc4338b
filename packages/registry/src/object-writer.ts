import { concat } from '@_all_docs/http';

const encoder = new TextEncoder();

/** Writes a JSON object member by member; what was written so far can be taken away at any time. */
export class ObjectWriter {
  #text = '{';
  #pieces: Uint8Array[] = [];
  #length = 0;
  #comma = false;

  /** A member whose value is JSON text. */
  member(key: string, value: string | Uint8Array): void {
    this.#key(key);
    if (typeof value === 'string') this.#text += value;
    else this.#bytes(value);
    this.#comma = true;
  }

  /** A member that is an object; its members follow, up to {@link leave}. */
  enter(key: string): void {
    this.#key(key);
    this.#text += '{';
    this.#comma = false;
  }

  /** Ends the object that was entered, or the whole. */
  leave(): void {
    this.#text += '}';
    this.#comma = true;
  }

  /** What was written since the last call. */
  take(): Uint8Array {
    this.#flush();
    const bytes = concat(this.#pieces, this.#length);
    this.#pieces = [];
    this.#length = 0;
    return bytes;
  }

  #key(key: string): void {
    this.#text += `${this.#comma ? ',' : ''}${JSON.stringify(key)}:`;
  }

  #bytes(bytes: Uint8Array): void {
    this.#flush();
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  #flush(): void {
    if (this.#text === '') return;
    const bytes = encoder.encode(this.#text);
    this.#text = '';
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }
}
