import type { Codec, Encoding } from '@_all_docs/http';
import { PackumentError } from './errors.js';

/**
 * How closely a document is looked at before it is kept:
 * - `length`: it came whole and is coded as it says (the transport has seen to the length)
 * - `crc`: and unpacks with the right checksum, begins and ends as a JSON object, and bears the right name
 * - `parse`: and is JSON from end to end
 */
export type Check = 'length' | 'crc' | 'parse';

export interface CheckedDocument {
  rev: string | undefined;
  modified: string | undefined;
}

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
    if (encoding === 'identity') assertObject(name, body);
    return { rev: undefined, modified: undefined };
  }
  const text = await codec.decode(body, encoding);
  assertObject(name, text);
  if (check === 'crc') {
    const head = readHead(name, decoder.decode(text.subarray(0, HEAD_BYTES)));
    if (head) return named(name, head);
  }
  return named(name, parse(name, text));
}

function assertObject(name: string, text: Uint8Array): void {
  let first = 0;
  let last = text.length - 1;
  while (first <= last && isSpace(text[first])) first += 1;
  while (last > first && isSpace(text[last])) last -= 1;
  if (text[first] !== BRACE_OPEN || text[last] !== BRACE_CLOSE || first === last)
    throw bad(name, 'is not a whole JSON object');
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
