import type { Codec, Encoding } from '@_all_docs/http';
import { PackumentError } from './errors.js';

/**
 * How closely a document is looked at before it is kept:
 * - `length`: it came whole and is coded as it says (the transport has seen to the length)
 * - `crc`: and unpacks with the right checksum, is one JSON object from its first brace to the matching last one, and
 *   bears the right name
 * - `parse`: and is JSON from end to end
 */
export type Check = 'length' | 'crc' | 'parse';

export interface CheckedDocument {
  rev: string | undefined;
  modified: string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const HEAD_BYTES = 2_048;
const decoder = new TextDecoder();

/** What the document says of itself. `ERR_BAD_PACKUMENT` when it is not the packument of `name`, `ERR_ENCODING` when its bytes are damaged. */
export async function checkPackument(
  name: string,
  body: Uint8Array,
  encoding: Encoding,
  check: Check,
  codec: Codec,
): Promise<CheckedDocument> {
  if (check === 'length') {
    if (body.length === 0) throw bad(name, 'is empty');
    if (encoding === 'gzip' && !(body[0] === 0x1f && body[1] === 0x8b))
      throw bad(name, 'is not gzip, though it says so');
    if (encoding === 'identity' && !isWholeObject(body)) throw bad(name, 'is not a whole JSON object');
    return { rev: undefined, modified: undefined };
  }
  const text = await codec.decode(body, encoding);
  if (!isWholeObject(text)) throw bad(name, 'is not a whole JSON object');
  if (check === 'crc') {
    const head = readHead(name, decoder.decode(text.subarray(0, HEAD_BYTES)));
    if (head) return named(name, head);
  }
  return named(name, parse(name, text));
}

/**
 * Whether the text is one JSON object whose brackets balance at its very end: a document that was cut, wherever, is not.
 * A scan of brackets and strings costs a third of parsing, and allocates nothing.
 */
function isWholeObject(text: Uint8Array): boolean {
  const { length } = text;
  let at = 0;
  while (isSpace(text[at])) at += 1;
  if (text[at] !== BRACE_OPEN) return false;
  for (let depth = 0; at < length; at++) {
    const byte = text[at];
    if (byte === QUOTE) at = endOfString(text, at);
    else if (byte === BRACE_OPEN || byte === BRACKET_OPEN) depth += 1;
    else if (byte === BRACE_CLOSE || byte === BRACKET_CLOSE) {
      depth -= 1;
      if (depth === 0) break;
    }
  }
  if (at >= length) return false;
  do at += 1;
  while (isSpace(text[at]));
  return at === length;
}

/** The place of the quote that ends the string begun at `at`; the text's length when none does. */
function endOfString(text: Uint8Array, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === QUOTE) return i;
    if (text[i] === BACKSLASH) i += 1;
  }
  return text.length;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

interface Head {
  name: unknown;
  rev: string | undefined;
  modified: string | undefined;
}

const STRING = '"((?:[^"\\\\]|\\\\.)*)"';
const HEAD = new RegExp(`^\\s*\\{\\s*"_id"\\s*:\\s*${STRING}\\s*,(?:\\s*"_rev"\\s*:\\s*${STRING}\\s*,)?`);
const ABBREVIATED_HEAD = new RegExp(
  `^\\s*\\{\\s*"name"\\s*:\\s*${STRING}\\s*,(?:\\s*"modified"\\s*:\\s*${STRING}\\s*,)?`,
);

/** Name and revision from the first bytes, where registries put them; `undefined` when the document begins otherwise. */
function readHead(name: string, text: string): Head | undefined {
  try {
    const full = HEAD.exec(text);
    if (full) return { name: unquote(full[1]), rev: unquote(full[2]), modified: undefined };
    const short = ABBREVIATED_HEAD.exec(text);
    return short ? { name: unquote(short[1]), rev: undefined, modified: unquote(short[2]) } : undefined;
  } catch (cause) {
    throw bad(name, 'is not JSON', cause);
  }
}

function unquote(inner: string | undefined): string | undefined {
  return inner === undefined ? undefined : (JSON.parse(`"${inner}"`) as string);
}

function parse(name: string, text: Uint8Array): Head {
  let document: unknown;
  try {
    document = JSON.parse(decoder.decode(text));
  } catch (cause) {
    throw bad(name, 'is not JSON', cause);
  }
  const { _id, name: named, _rev, modified, time } = document as Record<string, unknown>;
  const changed = modified ?? (time as Record<string, unknown> | undefined)?.['modified'];
  return {
    name: typeof named === 'string' ? named : _id,
    rev: typeof _rev === 'string' ? _rev : undefined,
    modified: typeof changed === 'string' ? changed : undefined,
  };
}

function named(name: string, head: Head): CheckedDocument {
  if (head.name !== name) throw bad(name, `bears another name: ${JSON.stringify(head.name)?.slice(0, 120)}`);
  return { rev: head.rev, modified: head.modified };
}

function bad(name: string, what: string, cause?: unknown): PackumentError {
  return new PackumentError('ERR_BAD_PACKUMENT', `the document the origin sent for ${name} ${what}`, { cause });
}
