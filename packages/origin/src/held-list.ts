import { concat } from '@_all_docs/http';
import { OriginError } from './errors.js';

/** So much of a digest tells one document from another. */
const DIGEST_CHARACTERS = 28;
const MOST_BYTES = 8 * 1024 * 1024;

/** What a client holds, as it sends it: an array of names, each with the beginning of its digest, or 1 for what it wants in no case. */
export function writeHeld(held: ReadonlyMap<string, string | true>): Uint8Array {
  if (held.size === 0) return new Uint8Array();
  const list = Array.from(held, ([name, digest]) => [name, digest === true ? 1 : digest.slice(0, DIGEST_CHARACTERS)]);
  return new TextEncoder().encode(JSON.stringify(list.flat()));
}

/** The same, read back: nothing where no body came. `ERR_BAD_QUERY` for a body of another shape, `ERR_BODY_TOO_LARGE` for one over 8 MiB. */
export async function readHeld(body: AsyncIterable<Uint8Array> | null): Promise<Map<string, string | true>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body ?? []) {
    length += piece.length;
    if (length > MOST_BYTES)
      throw new OriginError('ERR_BODY_TOO_LARGE', `what is held takes more than ${MOST_BYTES} bytes`);
    pieces.push(piece);
  }
  const held = new Map<string, string | true>();
  if (length === 0) return held;
  const list = parse(concat(pieces, length));
  for (let i = 0; i < list.length; i += 2) {
    const [name, digest] = [list[i], list[i + 1]];
    const isGood = typeof name === 'string' && (digest === 1 || (typeof digest === 'string' && digest.length >= 8));
    if (!isGood) throw bad();
    held.set(name, digest === 1 ? true : (digest as string));
  }
  return held;
}

function parse(bytes: Uint8Array): unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw bad();
  }
  if (!Array.isArray(list)) throw bad();
  return list;
}

function bad(): OriginError {
  return new OriginError('ERR_BAD_QUERY', 'what is held must be a JSON array of names, each followed by a digest or 1');
}
