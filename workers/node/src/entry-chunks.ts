import type { SourceEntry } from './replica-source.js';

/** How much is in memory, and in one transaction, at once. */
const MOST_ENTRIES = 256;
const MOST_BYTES = 16 * 1024 * 1024;

/** Entries in groups whose bodies may be held at once; a larger body is alone. */
export function* entryChunks(entries: Iterable<SourceEntry>): Iterable<SourceEntry[]> {
  let chunk: SourceEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (chunk.length === MOST_ENTRIES || (chunk.length > 0 && bytes + entry.metadata.size > MOST_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(entry);
    bytes += entry.metadata.size;
  }
  if (chunk.length > 0) yield chunk;
}
