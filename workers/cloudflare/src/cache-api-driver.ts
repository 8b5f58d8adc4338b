import {
  assertKey,
  CacheError,
  type EntryMetadata,
  type OpenedEntry,
  opened,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { pack, reading, unpack, whole, writing } from './entry.js';

const HEADER = 'x-all-docs-entry';

export interface CacheApiOptions {
  /** Seconds for which an entry is kept, at most; 300 unless told. */
  maxAge?: number | undefined;
}

/**
 * Entries in the cache of the data centre that asks: free, near, and gone at any time. Other data centres see nothing
 * of it, a delete included. It cannot be listed: `ERR_NO_INDEX`.
 */
export class CacheApiDriver extends StorageDriver {
  /** Three bytes of URL for one, and URLs end at 16 KB. */
  override readonly maxKeyBytes = 5_000;
  readonly #cache: Cache;
  readonly #maxAge: number;

  constructor(cache: Cache, { maxAge = 300 }: CacheApiOptions = {}) {
    super();
    this.#cache = cache;
    this.#maxAge = maxAge;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    const found = await this.#match(key);
    if (!found) return undefined;
    return whole(key, metadataOf(key, found), await reading(key, found.arrayBuffer()));
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    const entry = await this.open(key);
    await entry?.cancel();
    return entry?.metadata;
  }

  override async open(key: string): Promise<OpenedEntry | undefined> {
    const found = await this.#match(key);
    return found && opened(metadataOf(key, found), found.body ?? new Blob().stream());
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    const url = this.#url(key);
    const headers = { [HEADER]: await pack(entry), 'cache-control': `max-age=${this.#maxAge}` };
    await writing(key, this.#cache.put(url, new Response(entry.body, { headers })));
  }

  async delete(key: string): Promise<void> {
    await writing(key, this.#cache.delete(this.#url(key)));
  }

  // biome-ignore lint/correctness/useYield: there is nothing to give
  async *list(): AsyncIterable<string> {
    throw new CacheError('ERR_NO_INDEX', 'the Cache API cannot list what it holds; list the driver behind it');
  }

  #match(key: string): Promise<Response | undefined> {
    return reading(key, this.#cache.match(this.#url(key)));
  }

  /** In the query, where no dots are resolved. */
  #url(key: string): string {
    assertKey(key, this.maxKeyBytes);
    return `https://all-docs.invalid/?${encodeURIComponent(key)}`;
  }
}

function metadataOf(key: string, { headers }: Response): EntryMetadata {
  return unpack(key, headers.get(HEADER));
}
