import { concat } from '@_all_docs/http';
import { endOfString, PackumentError, worded } from '@_all_docs/packument';

/** What becomes of a member: `skip` it, `take` its value, or `enter` it and be asked about its own members. */
export type Decision = 'skip' | 'take' | 'enter';

/**
 * Who is told about the members of a document, in the order in which they stand. `path` has the keys of the objects that
 * were entered around a member, outermost first; it is the scanner's own and changes after the call.
 */
export interface MemberVisitor {
  /** Only an object can be entered; what is none is taken instead. `at` is the place of the value's first byte in the document. */
  decide(path: readonly string[], key: string, at: number): Decision;
  /** A member that is entered begins, or ends; `path` ends with its key. */
  enter?(path: readonly string[]): void;
  leave?(path: readonly string[]): void;
  /** The JSON text of a taken value. It may be a view of a chunk: whoever keeps it past the call copies it. */
  member(path: readonly string[], key: string, value: Uint8Array): void;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const KNOWN_KEYS = 256;
const decoder = new TextDecoder();

/** How each byte outside of strings changes the depth. */
const STEP = new Int8Array(256);
STEP[BRACE_OPEN] = STEP[0x5b] = 1;
STEP[BRACE_CLOSE] = STEP[0x5d] = -1;

/**
 * Walks over the members of a JSON object as deep as its visitor wants, chunk by chunk, and hands out the values that are
 * wanted. Nothing else is kept, so that memory is bounded by the largest value that is taken. What is skipped is not
 * validated; text that is no whole object is `ERR_BAD_PACKUMENT`.
 */
export class MemberScanner {
  readonly #visitor: MemberVisitor;
  #state: 'open' | 'key' | 'in-key' | 'colon' | 'value' | 'in-value' | 'done' = 'open';
  #chunk: Uint8Array = new Uint8Array();
  #words: Int32Array = new Int32Array();
  #at = 0;
  /** Where the chunk's first byte stands in the document. */
  #offset = 0;
  readonly #path: string[] = [];
  #key = '';
  readonly #keys: string[] = new Array(KNOWN_KEYS).fill('');
  /** Where the token that is kept begins in this chunk; -1 when none is. */
  #from = -1;
  /** What earlier chunks held of it. */
  #parts: Uint8Array[] = [];
  #depth = 0;
  #inString = false;
  /** One byte of the next chunk is escaped by the last byte of this one. */
  #escaped = 0;

  constructor(visitor: MemberVisitor) {
    this.#visitor = visitor;
  }

  /** The next bytes of the document. They must not change while this call lasts. */
  push(chunk: Uint8Array): void {
    const { text, words, lead } = worded(chunk);
    this.#chunk = text;
    this.#words = words;
    this.#at = lead;
    this.#offset -= lead;
    if (this.#from !== -1) this.#from = lead;
    while (this.#at < text.length) this.#step();
    if (this.#from !== -1) this.#parts.push(text.slice(this.#from));
    this.#offset += text.length;
  }

  /** No more bytes come. */
  end(): void {
    if (this.#state !== 'done') throw bad('ends too early');
  }

  #step(): void {
    const byte = this.#chunk[this.#at] as number;
    if (this.#state === 'in-value') this.#inValue();
    else if (this.#state === 'in-key') this.#inKey();
    else if (isSpace(byte)) this.#at += 1;
    else if (this.#state === 'value') this.#onValue(byte);
    else {
      this.#at += 1;
      this.#onStructure(byte);
    }
  }

  #onStructure(byte: number): void {
    if (this.#state === 'open' && byte === BRACE_OPEN) this.#state = 'key';
    else if (this.#state === 'colon' && byte === COLON) this.#state = 'value';
    else if (this.#state === 'key' && byte === QUOTE) {
      this.#from = this.#at - 1;
      this.#state = 'in-key';
    } else if (this.#state === 'key' && byte === BRACE_CLOSE) this.#onClose();
    else if (this.#state !== 'key' || byte !== COMMA) throw bad('is not a JSON object');
  }

  #onClose(): void {
    if (this.#path.length === 0) {
      this.#state = 'done';
      return;
    }
    this.#visitor.leave?.(this.#path);
    this.#path.pop();
  }

  #onValue(byte: number): void {
    const decision = this.#visitor.decide(this.#path, this.#key, this.#offset + this.#at);
    if (decision === 'enter' && byte === BRACE_OPEN) {
      this.#at += 1;
      this.#path.push(this.#key);
      this.#state = 'key';
      this.#visitor.enter?.(this.#path);
      return;
    }
    if (decision !== 'skip') this.#from = this.#at;
    this.#state = 'in-value';
  }

  #inKey(): void {
    // The first quote is behind us: it set this state.
    const end = endOfString(this.#chunk, this.#words, this.#at + this.#escaped);
    if (end >= this.#chunk.length) {
      this.#stop(end, 0, false);
      return;
    }
    this.#arrive(end + 1);
    this.#key = this.#parts.length === 0 ? this.#known(this.#from + 1, end) : text(this.#taken());
    this.#from = -1;
    this.#state = 'colon';
  }

  /** The key between these places. The same few come again and again: to compare costs less than to make a string. */
  #known(from: number, to: number): string {
    const chunk = this.#chunk;
    const length = to - from;
    const place = (length * 37 + (chunk[from] as number) * 5 + (chunk[to - 1] as number)) & (KNOWN_KEYS - 1);
    const known = this.#keys[place] as string;
    if (known.length === length) {
      let at = 0;
      while (at < length && known.charCodeAt(at) === chunk[from + at]) at += 1;
      if (at === length) return known;
    }
    const key = text(chunk.subarray(from - 1, to + 1));
    // What is spelled with escapes or beyond ASCII does not compare byte by byte.
    if (key.length === length) this.#keys[place] = key;
    return key;
  }

  #inValue(): void {
    if (!this.#passValue()) return;
    this.#state = 'key';
    if (this.#from !== -1) this.#visitor.member(this.#path, this.#key, this.#taken());
  }

  /** Goes on to where the value ends; `false` when this chunk ends before it does. */
  #passValue(): boolean {
    const chunk = this.#chunk;
    const words = this.#words;
    let depth = this.#depth;
    let at = this.#at;
    if (this.#inString) {
      at = endOfString(chunk, words, at + this.#escaped) + 1;
      if (at > chunk.length) return this.#stop(at - 1, depth, true);
      if (depth === 0) return this.#arrive(at);
    }
    for (; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte === QUOTE) {
        at = endOfString(chunk, words, at + 1);
        if (at >= chunk.length) return this.#stop(at, depth, true);
        if (depth === 0) return this.#arrive(at + 1);
        continue;
      }
      const step = STEP[byte] as number;
      if (step !== 0) {
        depth += step;
        // What closes below a number or a word closes the object that this is a member of.
        if (depth < 0) return this.#arrive(at);
        if (depth === 0) return this.#arrive(at + 1);
      } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return this.#arrive(at);
    }
    return this.#stop(at, depth, false);
  }

  /** The token ends before `at`. */
  #arrive(at: number): true {
    this.#at = at;
    this.#depth = 0;
    this.#escaped = 0;
    this.#inString = false;
    return true;
  }

  /** The chunk ends first. `at` is past its end where the last byte escapes the next. */
  #stop(at: number, depth: number, inString: boolean): false {
    this.#at = this.#chunk.length;
    this.#depth = depth;
    this.#escaped = at - this.#chunk.length;
    this.#inString = inString;
    return false;
  }

  /** The bytes of the token that ends here. */
  #taken(): Uint8Array {
    const last = this.#chunk.subarray(this.#from, this.#at);
    this.#from = -1;
    if (this.#parts.length === 0) return last;
    const parts = [...this.#parts, last];
    this.#parts = [];
    return concat(
      parts,
      parts.reduce((sum, { length }) => sum + length, 0),
    );
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** A key, from its token. Most are short and plain: a decoder's call would cost more than all the rest of the scan. */
function text(token: Uint8Array): string {
  let plain = '';
  for (let at = 1; at < token.length - 1; at++) {
    const byte = token[at] as number;
    if (byte >= 0x80 || byte < 0x20 || byte === BACKSLASH) return spelledOut(token);
    plain += String.fromCharCode(byte);
  }
  return plain;
}

function spelledOut(token: Uint8Array): string {
  try {
    return JSON.parse(decoder.decode(token)) as string;
  } catch (cause) {
    throw bad('is not JSON', cause);
  }
}

function bad(what: string, cause?: unknown): PackumentError {
  return new PackumentError('ERR_BAD_PACKUMENT', `a stored document ${what}; fetch it again`, { cause });
}
