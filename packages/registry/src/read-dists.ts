import type { StoredEntry } from '@_all_docs/cache';
import type { Codec, Encoding } from '@_all_docs/http';
import { deriveDocument } from './derive.js';
import { readSummary } from './summary.js';
import type { Dist } from './types.js';

/**
 * What a stored document says of its tarballs, by the file name under which each is served. Rejects with
 * `ERR_BAD_PACKUMENT`, a `SyntaxError` or `ERR_ENCODING` for a document that is damaged.
 */
export async function readDists(
  name: string,
  { body, metadata }: StoredEntry,
  codec?: Codec,
): Promise<Map<string, Dist>> {
  const text = await deriveDocument(body, metadata.encoding as Encoding, { name, form: 'summary' }, codec);
  return readSummary(name, text).dists;
}
