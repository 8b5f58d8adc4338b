import { type Codec, type Encoding, HttpError, LARGE_BODY_BYTES, release } from '@_all_docs/http';
import { PackumentError } from './errors.js';
import { ObjectScan } from './object-scan.js';

/**
 * How closely a document is looked at before it is kept:
 * - `length`: it came whole and is coded as it says (the transport has seen to the length)
 * - `crc`: and unpacks with the right checksum, is one JSON object from its first brace to the matching last one, and
 *   bears the right name
 * - `parse`: and is JSON from end to end; this holds the whole document in memory, unpacked and parsed
 */
export type Check = 'length' | 'crc' | 'parse';

export interface CheckedDocument {
  rev: string | undefined;
  modified: string | undefined;
}

const HEAD_BYTES = 2_048;
const decoder = new TextDecoder();

/**
 * What the document says of itself. `ERR_BAD_PACKUMENT` when it is not the packument of `name`, `ERR_ENCODING` when its
 * bytes are damaged, `ERR_TOO_LARGE` when they unpack to more than any document has. A document of more than
 * `LARGE_BODY_BYTES` is never held unpacked, except by `parse`, which holds it and what it says.
 */
export async function checkPackument(
  name: string,
  body: Uint8Array,
  encoding: Encoding,
  check: Check,
  codec: Codec,
): Promise<CheckedDocument> {
  switch (check) {
    case 'length':
      return checkLength(name, body, encoding);
    case 'crc':
      return checkWhole(name, body, encoding, codec);
    case 'parse': {
      const text = await codec.decode(body, encoding);
      if (!isWholeObject(text)) throw bad(name, 'is not a whole JSON object');
      return named(name, parse(name, text));
    }
  }
}

function checkLength(name: string, body: Uint8Array, encoding: Encoding): CheckedDocument {
  if (body.length === 0) throw bad(name, 'is empty');
  if (encoding === 'gzip' && !(body[0] === 0x1f && body[1] === 0x8b)) throw bad(name, 'is not gzip, though it says so');
  if (encoding === 'identity' && !isWholeObject(body)) throw bad(name, 'is not a whole JSON object');
  return { rev: undefined, modified: undefined };
}

async function checkWhole(name: string, body: Uint8Array, encoding: Encoding, codec: Codec): Promise<CheckedDocument> {
  const { isWhole, head } = await look(body, encoding, codec);
  if (!isWhole) throw bad(name, 'is not a whole JSON object');
  return head.describe(name) ?? named(name, parse(name, await codec.decode(body, encoding)));
}

/** The first bytes of an unpacked document, where registries let it say what it is. */
export class PackumentHead {
  readonly #bytes = new Uint8Array(HEAD_BYTES);
  #length = 0;

  /** The next bytes of the document; what lies behind its head is left alone. */
  push(piece: Uint8Array): void {
    const taken = piece.subarray(0, HEAD_BYTES - this.#length);
    this.#bytes.set(taken, this.#length);
    this.#length += taken.length;
  }

  /** The same pieces, for somebody else, after a look at them. */
  async *watch(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const piece of pieces) {
      this.push(piece);
      yield piece;
    }
  }

  /**
   * What the document says of itself, for who finds out by himself whether it is whole; `undefined` when it begins
   * otherwise than registries let them begin. `ERR_BAD_PACKUMENT` for a document of another name.
   */
  describe(name: string): CheckedDocument | undefined {
    const head = readHead(name, decoder.decode(this.#bytes.subarray(0, this.#length)));
    return head && named(name, head);
  }
}

/** How the text begins, and whether it is one whole object. */
async function look(
  body: Uint8Array,
  encoding: Encoding,
  codec: Codec,
): Promise<{ isWhole: boolean; head: PackumentHead }> {
  const head = new PackumentHead();
  try {
    const text = await codec.decode(body, encoding, LARGE_BODY_BYTES);
    const isWhole = isWholeObject(text);
    head.push(text);
    if (text.buffer !== body.buffer) release(text);
    return { isWhole, head };
  } catch (error) {
    if (!(error instanceof HttpError && error.code === 'ERR_TOO_LARGE')) throw error;
  }
  const scan = new ObjectScan();
  for await (const piece of head.watch(codec.decodeStream(body, encoding))) scan.push(piece);
  return { isWhole: scan.isWhole, head };
}

function isWholeObject(text: Uint8Array): boolean {
  const scan = new ObjectScan();
  scan.push(text);
  return scan.isWhole;
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
