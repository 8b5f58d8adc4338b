import {
  assertKey,
  type EntryMetadata,
  type ListOptions,
  type OpenedEntry,
  opened,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { pack, packMetadata, reading, unpack, whole, writing } from './entry.js';

/** Entries as objects of an R2 bucket: of any size, seen everywhere as soon as they are written. */
export class R2StorageDriver extends StorageDriver {
  override readonly maxKeyBytes = 1_024;
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    super();
    this.#bucket = bucket;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    const object = await this.#get(key);
    if (!object) return undefined;
    return whole(key, metadataOf(object), await reading(key, object.arrayBuffer()));
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    const object = await reading(key, this.#bucket.head(key));
    return object ? metadataOf(object) : undefined;
  }

  override async open(key: string): Promise<OpenedEntry | undefined> {
    const object = await this.#get(key);
    return object ? opened(metadataOf(object), object.body) : undefined;
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await this.#put(key, entry.body, await pack(entry));
  }

  /** A write that comes in between wins. */
  override async touch(key: string, changed: Partial<EntryMetadata>): Promise<void> {
    const object = await this.#get(key);
    if (!object) return;
    const metadata = { ...metadataOf(object), ...changed };
    await this.#put(key, object.body, packMetadata(metadata), object.etag);
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await writing(key, this.#bucket.delete(key));
  }

  list(prefix = '', options: ListOptions = {}): AsyncIterable<string> {
    return listObjects(this.#bucket, prefix, options);
  }

  #get(key: string): Promise<R2ObjectBody | null> {
    assertKey(key, this.maxKeyBytes);
    return reading(key, this.#bucket.get(key));
  }

  #put(key: string, body: Uint8Array | ReadableStream, entry: string, etagMatches?: string): Promise<unknown> {
    const options = { customMetadata: { entry }, ...(etagMatches ? { onlyIf: { etagMatches } } : {}) };
    return writing(key, this.#bucket.put(key, body, options));
  }
}

/** Names of a bucket's objects in the order of their bytes, 1,000 a request. */
export async function* listObjects(
  bucket: R2Bucket,
  prefix: string,
  { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {},
): AsyncIterable<string> {
  for (let left = limit, startAfter = after; left > 0; ) {
    const asked = { prefix, limit: Math.min(1_000, left), ...(startAfter === undefined ? {} : { startAfter }) };
    const { objects, truncated } = await reading(prefix, bucket.list(asked));
    for (const { key } of objects) yield key;
    if (!truncated) return;
    left -= objects.length;
    startAfter = objects.at(-1)?.key;
  }
}

function metadataOf({ key, customMetadata }: R2Object): EntryMetadata {
  return unpack(key, customMetadata?.['entry']);
}
