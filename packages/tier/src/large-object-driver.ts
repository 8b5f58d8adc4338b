import {
  assertKey,
  CacheError,
  digestOf,
  type EntryEncoding,
  type EntryMetadata,
  type ListOptions,
  type OrderedStore,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import type { ICacheSyncLogger } from './logger.js';

export interface LargeObjectOptions {
  /** Where large bodies lie: R2, S3, GCS. */
  objects: StorageDriver;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Bodies of more bytes are large; 1 MiB unless told. */
  overBytes?: number | undefined;
  /** For `get` of codings that the platform cannot undo. */
  codec?: { decode(bytes: Uint8Array, encoding: EntryEncoding): Uint8Array | Promise<Uint8Array> } | undefined;
  logger?: ICacheSyncLogger | undefined;
}

const BEGIN = '{"_all_docs":"large"';
const OVER_BYTES = 1024 * 1024;
/** `#` and twelve hexadecimal digits. */
const SUFFIX_BYTES = 13;
/** Somebody may replace an entry while it is read; he does not do so forever. */
const TRIES = 4;

/**
 * A driver whose large bodies lie in an object store: `tiers: [new LargeObjectDriver(kv, { objects: r2 }), …]`.
 * Every object is written once, under a name of its own, before the reference that names it, and deleted after it: a
 * reference without its object is `ERR_CORRUPT` (so a miss where the driver is a tier), never a value. A crash between
 * the two, or two who write one key at once, may leave an object that nobody refers to.
 */
export class LargeObjectDriver extends StorageDriver {
  override readonly ordered: OrderedStore | undefined;
  override readonly maxKeyBytes: number;
  readonly #inner: StorageDriver;
  readonly #options: LargeObjectOptions;

  constructor(inner: StorageDriver, options: LargeObjectOptions) {
    super();
    this.#inner = inner;
    this.#options = options;
    this.ordered = inner.ordered;
    this.maxKeyBytes = Math.min(inner.maxKeyBytes, options.objects.maxKeyBytes - SUFFIX_BYTES);
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    assertKey(key, this.maxKeyBytes);
    for (let tries = 1, last: string | undefined; ; tries++) {
      const entry = await this.#inner.read(key);
      if (!entry) return undefined;
      const { large, ...metadata } = entry.metadata;
      if (!large && !isReference(entry.body)) return entry;
      const object = large && (await this.#options.objects.read(large.key));
      if (object && object.body.length === large.size && object.metadata.digest === large.digest)
        return { body: object.body, metadata: { ...metadata, size: large.size, digest: large.digest } };
      if (large && large.key !== last && tries < TRIES) last = large.key;
      else throw new CacheError('ERR_CORRUPT', `the object that ${key} refers to is gone; fetch the entry again`);
    }
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    const found = await this.#inner.head(key);
    if (!found?.large) return found;
    const { large, ...metadata } = found;
    return { ...metadata, size: large.size, digest: large.digest };
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const { objects, overBytes = OVER_BYTES } = this.#options;
    const before = await this.#inner.head(key);
    // A body that looks like a reference is kept as an object, so that nothing else ever does.
    if (entry.body.length > overBytes || isReference(entry.body)) {
      const { body } = entry;
      const digest = entry.metadata.digest ?? (await digestOf(body));
      const large = { key: `${key}#${this.#name()}`, size: body.length, digest };
      await objects.write(large.key, {
        body,
        metadata: { ...entry.metadata, size: body.length, digest, tier: undefined },
      });
      const reference = new TextEncoder().encode(`${BEGIN},"object":${JSON.stringify(large)}}`);
      const { digest: _, ...metadata } = entry.metadata;
      await this.#inner.write(key, { body: reference, metadata: { ...metadata, size: reference.length, large } });
    } else await this.#inner.write(key, entry);
    await this.#let(before);
  }

  override async touch(key: string, { size: _, digest: __, ...metadata }: Partial<EntryMetadata>): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await this.#inner.touch(key, metadata);
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const before = await this.#inner.head(key);
    await this.#inner.delete(key);
    await this.#let(before);
  }

  list(prefix?: string, options?: ListOptions): AsyncIterable<string> {
    return this.#inner.list(prefix, options);
  }

  override async close(): Promise<void> {
    await this.#inner.close();
    await this.#options.objects.close();
  }

  protected override async decode(body: Uint8Array, encoding: EntryEncoding): Promise<Uint8Array> {
    return this.#options.codec?.decode(body, encoding) ?? super.decode(body, encoding);
  }

  /** Lets go of the object of an entry that is no more. */
  async #let(before: EntryMetadata | undefined): Promise<void> {
    const { large } = before ?? {};
    if (!large) return;
    const { objects, logger } = this.#options;
    await objects
      .delete(large.key)
      .catch((error) =>
        logger?.warn?.('an object that nobody refers to is left', { key: large.key, error: String(error) }),
      );
  }

  #name(): string {
    return Math.floor(this.#options.random() * 2 ** 48)
      .toString(16)
      .padStart(12, '0');
  }
}

function isReference(body: Uint8Array): boolean {
  if (body.length < BEGIN.length || body[0] !== BEGIN.charCodeAt(0)) return false;
  return new TextDecoder().decode(body.subarray(0, BEGIN.length)) === BEGIN;
}
