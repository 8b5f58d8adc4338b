import {
  assertKey,
  CacheError,
  compareBytes,
  type EntryMetadata,
  type ListOptions,
  type OpenedEntry,
  opened,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { pack, reading, unpack, whole, writing } from './entry.js';
import { ELSEWHERE, MAX_METADATA_BYTES, MAX_VALUE_BYTES } from './kv-limits.js';

const MAX_KEY_BYTES = 512;
const PAGE = 1_000;
/** KV lets go of nothing sooner. */
const MIN_KEEP_MS = 60_000;

export interface CloudflareStorageOptions {
  /** Takes bodies over KV's 25 MiB; KV then holds a reference. Without it they are `ERR_VALUE_TOO_LARGE`. */
  large?: StorageDriver | undefined;
  /** Seconds for which a data centre may answer reads from its own copy, 30 at least; KV's own 60 unless told. */
  cacheTtl?: number | undefined;
}

/**
 * Entries in Workers KV: read everywhere, fast where they were read lately. A write is seen elsewhere after up to 60
 * seconds, and the last one wins: there is no compare-and-set, so a `touch` beside a `write` may undo it. KV takes one
 * write a second of a key. What expires goes by itself.
 */
export class CloudflareStorageDriver extends StorageDriver {
  override readonly maxKeyBytes = MAX_KEY_BYTES;
  readonly #kv: KVNamespace;
  readonly #options: CloudflareStorageOptions;
  /** Where the last listing stopped: KV goes on from a cursor, not from a key. */
  #resume: { prefix: string; after: string; cursor: string } | undefined;

  constructor(kv: KVNamespace, options: CloudflareStorageOptions = {}) {
    super();
    this.#kv = kv;
    this.#options = options;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    const found = await this.#find(key, 'arrayBuffer', (large) => large.read(key));
    return found && ('body' in found ? found : whole(key, found.metadata, found.value));
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    const entry = await this.open(key);
    await entry?.cancel();
    return entry?.metadata;
  }

  /** One read of KV; a body that lies elsewhere is opened there. */
  override async open(key: string): Promise<OpenedEntry | undefined> {
    const found = await this.#find(key, 'stream', (large) => large.open(key));
    return found && ('body' in found ? found : opened(found.metadata, found.value));
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    assertKv(key);
    const { large } = this.#options;
    const { expiresAt } = entry.metadata;
    const metadata = await pack(entry);
    // KV counts it as JSON.
    const bytes = JSON.stringify(metadata).length;
    const isLarge = entry.body.length > MAX_VALUE_BYTES;
    if (bytes > MAX_METADATA_BYTES || (isLarge && !large)) {
      throw new CacheError(
        'ERR_VALUE_TOO_LARGE',
        `${key}: KV takes ${MAX_METADATA_BYTES} bytes of metadata and ${MAX_VALUE_BYTES} of body, not ${bytes} and ${entry.body.length}`,
      );
    }
    // The body first: a reference to nothing is never seen.
    if (isLarge) await large?.write(key, entry);
    const put = this.#kv.put(key, isLarge ? '' : entry.body, {
      metadata: isLarge ? ELSEWHERE : metadata,
      ...(expiresAt && { expiration: Math.ceil(Math.max(expiresAt, this.clock.now() + MIN_KEEP_MS) / 1_000) }),
    });
    await writing(key, put);
  }

  async delete(key: string): Promise<void> {
    assertKv(key);
    await writing(key, this.#kv.delete(key));
    await this.#options.large?.delete(key);
  }

  /** 1,000 keys a request. From a key on it is cheap where the last listing stopped; elsewhere all before it are passed over. */
  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    const resume = this.#resume;
    let cursor = resume && resume.prefix === prefix && resume.after === after ? resume.cursor : null;
    for (let left = limit; left > 0; ) {
      const asked = { prefix, cursor, limit: cursor !== null || after === undefined ? Math.min(PAGE, left) : PAGE };
      const page = await reading(prefix, this.#kv.list(asked));
      for (const { name } of page.keys) {
        if (after !== undefined && compareBytes(name, after) <= 0) continue;
        if (left-- <= 0) return;
        yield name;
      }
      if (page.list_complete) return;
      cursor = page.cursor;
      const last = page.keys.at(-1)?.name;
      if (last !== undefined) this.#resume = { prefix, after: last, cursor };
    }
  }

  /** What KV holds, or what the other driver gives for a reference. */
  async #find<T extends 'arrayBuffer' | 'stream', Entry>(
    key: string,
    type: T,
    elsewhere: (large: StorageDriver) => Promise<Entry | undefined>,
  ): Promise<
    Entry | { metadata: EntryMetadata; value: T extends 'stream' ? ReadableStream : ArrayBuffer } | undefined
  > {
    assertKv(key);
    const { cacheTtl, large } = this.#options;
    const options = { type, ...(cacheTtl ? { cacheTtl } : {}) };
    // biome-ignore lint/suspicious/noExplicitAny: the overloads know each type by itself, not their union
    const get = this.#kv.getWithMetadata<string>(key, options as any) as Promise<any>;
    const { value, metadata } = await reading(key, get);
    if (value === null) return undefined;
    if (metadata !== ELSEWHERE) return { value, metadata: unpack(key, metadata) };
    if (type === 'stream') await value.cancel();
    if (large) return elsewhere(large);
    throw new CacheError('ERR_STORAGE_READ', `${key} lies in an object store that this driver was not given`);
  }
}

function assertKv(key: string): void {
  assertKey(key, MAX_KEY_BYTES);
  if (key === '.' || key === '..') throw new CacheError('ERR_BAD_KEY', `KV takes no key "${key}"`);
}
