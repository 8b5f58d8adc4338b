import { CacheError } from '@_all_docs/cache';
import { assertRange, type BlobBackend, type BlobStat, type ByteRange } from '@_all_docs/content';
import { concat } from '@_all_docs/http';
import { guard } from './entry.js';
import type { KvEntry, KvStore } from './host.js';
import { deleteKv, listKv, MAX_VALUE_BYTES } from './kv-store.js';

/**
 * Blobs in a KV Store, under their own paths, up to 25 MiB each: what is larger is `ERR_VALUE_TOO_LARGE`. A blob is held
 * in memory until it is whole, so that nothing half written ever has a name.
 */
export class KvBlobBackend implements BlobBackend {
  readonly #store: KvStore;
  readonly #clock: { now(): number };

  constructor(store: KvStore, clock: { now(): number } = Date) {
    this.#store = store;
    this.#clock = clock;
  }

  /** All of it stays with the host until it is read; for a range, all of it is fetched. */
  async read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    const found = await this.#find(path);
    if (!found) return undefined;
    if (!range) return found.body as ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>;
    assertRange(range, statOf(path, found).size);
    const bytes = new Uint8Array(await guard('ERR_STORAGE_READ', path, () => found.arrayBuffer()));
    return once(bytes.subarray(range.start, range.end));
  }

  async write(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of source) {
      length += piece.length;
      if (length > MAX_VALUE_BYTES) {
        throw new CacheError('ERR_VALUE_TOO_LARGE', `the KV Store takes no blob of over ${MAX_VALUE_BYTES} bytes`);
      }
      pieces.push(piece);
    }
    const key = typeof path === 'string' ? path : await path();
    const metadata = JSON.stringify([length, this.#clock.now()]);
    await guard('ERR_STORAGE_WRITE', key, () => this.#store.put(key, concat(pieces, length), { metadata }));
  }

  async stat(path: string): Promise<BlobStat | undefined> {
    const found = await this.#find(path);
    return found && statOf(path, found);
  }

  list(prefix: string): AsyncIterable<string> {
    return listKv(this.#store, prefix);
  }

  async delete(path: string): Promise<void> {
    await guard('ERR_STORAGE_WRITE', path, () => deleteKv(this.#store, path));
  }

  async #find(path: string): Promise<KvEntry | undefined> {
    return (await guard('ERR_STORAGE_READ', path, () => this.#store.get(path))) ?? undefined;
  }
}

function statOf(path: string, found: KvEntry): BlobStat {
  try {
    const [size, modifiedAt] = JSON.parse(found.metadataText() as string) as [number, number];
    return { size, modifiedAt };
  } catch (cause) {
    throw new CacheError('ERR_CORRUPT', `${path} was not stored by this program; delete it`, { cause });
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
