import { concat } from '@_all_docs/http';
import { PackumentError } from '@_all_docs/packument';

/** What becomes of a member: `skip` it, `take` its value, or `enter` it and be asked about its own members. */
export type Decision = 'skip' | 'take' | 'enter';

/** Who is told about the members of a document, in the order in which they stand. */
export interface MemberVisitor {
  /** `parent` is `undefined` for members of the document itself. Only those can be entered; what is no object is taken instead. */
  decide(parent: string | undefined, key: string): Decision;
  /** A member that is entered begins, or ends. */
  enter?(key: string): void;
  leave?(key: string): void;
  /** The JSON text of a taken value. It may be a view of a chunk: whoever keeps it past the call copies it. */
  member(parent: string | undefined, key: string, value: Uint8Array): void;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const decoder = new TextDecoder();

/**
 * Walks over the members of a JSON object two levels deep, chunk by chunk, and hands out the values that are wanted.
 * Nothing else is kept, so that memory is bounded by the largest value that is taken. What is skipped is not validated;
 * text that is no whole object is `ERR_BAD_PACKUMENT`.
 */
export class MemberScanner {
  readonly #visitor: MemberVisitor;
  #state: 'open' | 'key' | 'in-key' | 'colon' | 'value' | 'in-value' | 'done' = 'open';
  #chunk: Uint8Array = new Uint8Array();
  #at = 0;
  #parent: string | undefined;
  #inside = false;
  #key = '';
  /** Where the token that is kept begins in this chunk; -1 when none is. */
  #from = -1;
  /** What earlier chunks held of it. */
  #parts: Uint8Array[] = [];
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(visitor: MemberVisitor) {
    this.#visitor = visitor;
  }

  /** The next bytes of the document. They must not change while this call lasts. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
    if (this.#from !== -1) this.#from = 0;
    while (this.#at < chunk.length) this.#step();
    if (this.#from !== -1) this.#parts.push(chunk.slice(this.#from));
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
    if (!this.#inside) {
      this.#state = 'done';
      return;
    }
    this.#inside = false;
    this.#visitor.leave?.(this.#parent as string);
    this.#parent = undefined;
  }

  #onValue(byte: number): void {
    const decision = this.#visitor.decide(this.#parent, this.#key);
    if (decision === 'enter' && !this.#inside && byte === BRACE_OPEN) {
      this.#at += 1;
      this.#inside = true;
      this.#parent = this.#key;
      this.#state = 'key';
      this.#visitor.enter?.(this.#key);
      return;
    }
    if (decision !== 'skip') this.#from = this.#at;
    this.#state = 'in-value';
  }

  #inKey(): void {
    // The first quote is behind us: it set this state.
    const end = this.#endOfString(this.#at);
    this.#at = end === -1 ? this.#chunk.length : end;
    if (end === -1) return;
    this.#key = text(this.#taken());
    this.#state = 'colon';
  }

  #inValue(): void {
    const end = this.#endOfValue(this.#at);
    this.#at = end === -1 ? this.#chunk.length : end;
    if (end === -1) return;
    this.#state = 'key';
    if (this.#from !== -1) this.#visitor.member(this.#parent, this.#key, this.#taken());
  }

  /** Where the value ends that goes on at `at`; -1 when this chunk ends before it does. */
  #endOfValue(start: number): number {
    const chunk = this.#chunk;
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (this.#inString || byte === QUOTE) {
        at = this.#endOfString(this.#inString ? at : at + 1);
        this.#inString = at === -1;
        if (this.#inString) return -1;
        if (this.#depth === 0) return at;
        at -= 1;
      } else if (byte === BRACE_OPEN || byte === BRACKET_OPEN) {
        this.#depth += 1;
      } else if (byte === BRACE_CLOSE || byte === BRACKET_CLOSE) {
        // What closes below a number or a word closes the object that this is a member of.
        if (this.#depth === 0) return at;
        this.#depth -= 1;
        if (this.#depth === 0) return at + 1;
      } else if (this.#depth === 0 && (byte === COMMA || isSpace(byte))) return at;
    }
    return -1;
  }

  /** The place past the quote that ends a string which goes on at `at`; -1 when this chunk ends before it does. */
  #endOfString(start: number): number {
    const chunk = this.#chunk;
    let at = this.#escaped ? start + 1 : start;
    this.#escaped = false;
    for (; at < chunk.length; at++) {
      if (chunk[at] === QUOTE) return at + 1;
      if (chunk[at] === BACKSLASH) at += 1;
    }
    // Past the end means that the last byte was a backslash: what it escapes comes with the next chunk.
    this.#escaped = at > chunk.length;
    return -1;
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
