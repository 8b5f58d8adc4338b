import type { StoredEntry } from '@_all_docs/cache';
import { zlibCodec } from '@_all_docs/worker-node';
import type { Io } from '../io.js';

/** Prints the body of an entry unpacked, in pieces and no faster than it is read: it may be large. */
export async function printEntry({ body, metadata }: StoredEntry, io: Io): Promise<void> {
  for await (const piece of zlibCodec.decodeStream(body, metadata.encoding)) await io.write(piece);
}
