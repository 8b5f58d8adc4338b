import { digestOf } from './digest.js';
import { CacheError } from './errors.js';
import type { OrderedStore } from './ordered-store.js';

/** Coding of stored bytes. */
export type EntryEncoding = 'identity' | 'gzip' | 'br' | 'deflate' | 'zstd';

/** What is known of an entry without its body. */
export interface EntryMetadata {
  /** Epoch milliseconds at which the origin last confirmed these bytes. */
  storedAt: number;
  /** Coding of the stored bytes. */
  encoding: EntryEncoding;
  /** Length of the stored bytes. */
  size: number;
  /** Validators as the origin sent them. */
  etag?: string | undefined;
  lastModified?: string | undefined;
  /** Revision of the document, where it names one. */
  rev?: string | undefined;
  /** `time.modified` or `modified` of the document. */
  modified?: string | undefined;
  /** Subresource-integrity string of the stored bytes, e.g. `sha512-…`; always there on what a driver reads. */
  digest?: string | undefined;
  /** Epoch milliseconds from which on the store may let go of the entry by itself, where it can; never where this is absent. */
  expiresAt?: number | undefined;
  /** Noted by a tiered cache on what its tiers hold, and on nothing else: as of when the primary said so, and whether it said "nothing". */
  tier?: { asOf: number; absent?: boolean } | undefined;
  /** Noted on a reference to a large body: where the body lies, and what it is. */
  large?: { key: string; size: number; digest: string } | undefined;
}

export interface StoredEntry {
  body: Uint8Array;
  metadata: EntryMetadata;
}

/** An entry whose body arrives while it is read. */
export interface OpenedEntry {
  metadata: EntryMetadata;
  /** The stored bytes, for one reader, who compares them with the digest where that matters. */
  body: ReadableStream<Uint8Array>;
  /** Lets go of a body that nobody will read. */
  cancel(): Promise<void>;
}

export interface ListOptions {
  /** Only keys past this one. */
  after?: string | undefined;
  /** At most so many keys. */
  limit?: number | undefined;
}

/** A store that can be asked, not written to. */
export interface StorageReader {
  /** The entry, whole and matching its digest; `undefined` on a miss. Damaged bytes are `ERR_CORRUPT`, trouble is `ERR_STORAGE_READ`. */
  read(key: string): Promise<StoredEntry | undefined>;
  /** The same without the body. */
  head(key: string): Promise<EntryMetadata | undefined>;
  /** The entry by one look-up, its metadata before its body; `undefined` on a miss. The body is read or cancelled. */
  open?(key: string): Promise<OpenedEntry | undefined>;
}

/**
 * Entries by key. A driver writes the five primitives; `get`, `set`, `has`, `digest`, `open` and `touch` are derived here, once.
 * Entries are immutable: nobody changes a body that was written or read.
 */
export abstract class StorageDriver implements StorageReader {
  /** Rows beside the entries, where the driver has such a place: index, checkpoints, cursors, leases. */
  readonly ordered: OrderedStore | undefined;
  /** Longest key in UTF-8 bytes; a longer one is `ERR_KEY_TOO_LONG` before any I/O. */
  readonly maxKeyBytes: number = Number.POSITIVE_INFINITY;
  protected readonly clock: { now(): number } = Date;

  abstract read(key: string): Promise<StoredEntry | undefined>;
  abstract head(key: string): Promise<EntryMetadata | undefined>;
  /** Resolves when the entry is committed: a crash after that loses nothing. `ERR_STORAGE_WRITE`, `ERR_DISK_FULL` on trouble. */
  abstract write(key: string, entry: StoredEntry): Promise<void>;
  /** Idempotent: what is not there is deleted already. */
  abstract delete(key: string): Promise<void>;
  /** Keys that begin with `prefix`, in the order of their bytes. */
  abstract list(prefix?: string, options?: ListOptions): AsyncIterable<string>;
  /** Waits for what is under way and lets go of files and connections. */
  async close(): Promise<void> {}

  /** A JSON value as {@link set} stored it; `undefined` on a miss. `ERR_CORRUPT` when the bytes are not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what it stored
  async get<T = any>(key: string): Promise<T | undefined> {
    const entry = await this.read(key);
    if (!entry) return undefined;
    try {
      const bytes = await this.decode(entry.body, entry.metadata.encoding);
      return JSON.parse(new TextDecoder().decode(bytes)) as T;
    } catch (cause) {
      throw new CacheError('ERR_CORRUPT', `the entry ${key} is not JSON`, { cause });
    }
  }

  /** Stores a JSON value as plain, uncompressed JSON. A value that JSON cannot carry is `ERR_STORAGE_WRITE`. */
  async set(key: string, value: unknown): Promise<void> {
    const body = new TextEncoder().encode(jsonOf(key, value));
    await this.write(key, { body, metadata: { storedAt: this.clock.now(), encoding: 'identity', size: body.length } });
  }

  async has(key: string): Promise<boolean> {
    return (await this.head(key)) !== undefined;
  }

  /** The digest that `write` notes of a body whose metadata names none: for whoever has to know it before that. */
  digest(body: Uint8Array): Promise<string> {
    return digestOf(body);
  }

  /** As {@link StorageReader.open} has it. Drivers that can hand a body on while it arrives do. */
  async open(key: string): Promise<OpenedEntry | undefined> {
    const entry = await this.read(key);
    return entry && opened(entry.metadata, new Blob([entry.body as Uint8Array<ArrayBuffer>]).stream());
  }

  /** Renews age and validators of an entry whose bytes were confirmed unchanged; a miss does nothing. Drivers that can do it without the body do. */
  async touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    const entry = await this.read(key);
    if (entry) await this.write(key, { body: entry.body, metadata: { ...entry.metadata, ...metadata } });
  }

  /** Identity bytes of what {@link read} gave. */
  protected async decode(body: Uint8Array, encoding: EntryEncoding): Promise<Uint8Array> {
    if (encoding === 'identity') return body;
    const stream = new Blob([body as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new DecompressionStream(encoding as CompressionFormat));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
}

/** An entry around a body that arrives. */
export function opened(metadata: EntryMetadata, body: ReadableStream<Uint8Array>): OpenedEntry {
  return { metadata, body, cancel: () => body.cancel() };
}

/** `ERR_STORAGE_WRITE` for what JSON leaves out (`undefined`, functions) and for what it throws at (circles, bigints). */
function jsonOf(key: string, value: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  throw new CacheError(
    'ERR_STORAGE_WRITE',
    `cannot store ${typeof value} under ${key}: it has no JSON form; use delete to remove an entry`,
    { cause },
  );
}

const encoder = new TextEncoder();

/** Throws `ERR_BAD_KEY` or `ERR_KEY_TOO_LONG`; every primitive of every driver calls it before any I/O. */
export function assertKey(key: string, maxKeyBytes = Number.POSITIVE_INFINITY): void {
  if (typeof key !== 'string' || key === '' || !key.isWellFormed()) {
    throw new CacheError(
      'ERR_BAD_KEY',
      `not a key: ${JSON.stringify(key)}; a key is a non-empty string of well-formed text`,
    );
  }
  if (key.length * 3 <= maxKeyBytes) return;
  const bytes = encoder.encode(key).length;
  if (bytes > maxKeyBytes) {
    throw new CacheError(
      'ERR_KEY_TOO_LONG',
      `a key of ${bytes} bytes is over this store's ${maxKeyBytes}: ${key.slice(0, 80)}…`,
    );
  }
}
