import { endOfString, worded } from './json-string.js';

const QUOTE = 0x22;
const BRACE_OPEN = 0x7b;

/** How each byte outside of strings changes the depth. */
const STEP = new Int8Array(256);
STEP[BRACE_OPEN] = STEP[0x5b] = 1;
STEP[0x7d] = STEP[0x5d] = -1;

/**
 * Whether a text is one JSON object whose brackets balance at its very end: a document that was cut, wherever, is not.
 * The text comes in one piece or in many, cut anywhere. It costs less than a third of parsing, and holds nothing.
 */
export class ObjectScan {
  #state: 'before' | 'inside' | 'in string' | 'behind' | 'broken' = 'before';
  #depth = 0;
  /** One byte of the next piece is escaped by the last byte of this one. */
  #escaped = 0;

  /** The text so far is one whole object. */
  get isWhole(): boolean {
    return this.#state === 'behind';
  }

  push(piece: Uint8Array): void {
    const { text, words, lead } = worded(piece);
    let at = lead;
    if (this.#state === 'before') {
      at = skipSpace(text, at);
      if (at < text.length) this.#state = text[at] === BRACE_OPEN ? 'inside' : 'broken';
    }
    if (this.#state === 'in string') at = this.#leaveString(text, words, at + this.#escaped);
    if (this.#state === 'inside') at = this.#scan(text, words, at);
    if (this.#state === 'behind' && skipSpace(text, at) < text.length) this.#state = 'broken';
  }

  #leaveString(text: Uint8Array, words: Int32Array, from: number): number {
    const at = endOfString(text, words, from);
    this.#escaped = Math.max(0, at - text.length);
    this.#state = at < text.length ? 'inside' : 'in string';
    return at + 1;
  }

  /** The place behind the object's last brace, or behind the text. */
  #scan(text: Uint8Array, words: Int32Array, from: number): number {
    const { length } = text;
    let depth = this.#depth;
    for (let at = from; at < length; at++) {
      const byte = text[at] as number;
      if (byte === QUOTE) {
        at = endOfString(text, words, at + 1);
        if (at < length) continue;
        this.#state = 'in string';
        this.#escaped = at - length;
        break;
      }
      depth += STEP[byte] as number;
      if (depth > 0) continue;
      this.#state = 'behind';
      return at + 1;
    }
    this.#depth = depth;
    return length;
  }
}

function skipSpace(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text[at] as number)) at += 1;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
