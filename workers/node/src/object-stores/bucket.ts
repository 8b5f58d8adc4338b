import { CacheError } from '@_all_docs/cache';

/** What is known of an object without its bytes. */
export interface ObjectStat {
  size: number;
  /** Epoch milliseconds of the last write; another one means that the bytes may have changed. */
  modifiedAt: number;
  /** Names this very content of the key: an ETag, a generation. */
  version: string;
  metadata: Readonly<Record<string, string>>;
}

/** An object and its bytes; `body` must be read or left (`return`), it holds a connection. */
export interface StoredObject extends ObjectStat {
  body: AsyncIterable<Uint8Array>;
}

/** An object held in memory. */
export interface HeldObject extends ObjectStat {
  bytes: Uint8Array;
}

/** What a key must hold for a write to happen: nothing, or a certain version. */
type PutCondition = 'absent' | { version: string };

export interface PutOptions {
  metadata?: Readonly<Record<string, string>> | undefined;
  contentType?: string | undefined;
  only?: PutCondition | undefined;
}

export interface ListedObject {
  key: string;
  size: number;
  /** By the clock of the store, possibly in whole seconds. */
  modifiedAt: number;
}

/**
 * Objects by key in a bucket, below a prefix: S3, GCS. Each call is tried again by itself while the store is in trouble.
 * An object is visible whole or not at all, and whatever was acknowledged is seen by every call after it. Trouble is a
 * `CacheError`: `ERR_STORAGE_READ`, `ERR_STORAGE_WRITE`, and what {@link check} gives. Keys are plain paths.
 */
export interface Bucket {
  /** `s3://bucket/prefix`, for messages; carries no secret. */
  readonly url: string;
  /** Most bytes of one object. */
  readonly maxBytes: number;
  /** `ERR_NO_STORAGE` when there is no such bucket, `ERR_CACHE_UNWRITABLE` when the credentials do not open it. */
  check(): Promise<void>;
  /** The object or its bytes from `start` to before `end`, as far as there are any; `undefined` on a miss. */
  get(key: string, options?: { start?: number; end?: number; version?: string }): Promise<StoredObject | undefined>;
  /** `undefined` on a miss. */
  head(key: string): Promise<ObjectStat | undefined>;
  /**
   * Stores bytes that are at hand; gives their version, or `undefined` when the condition does not hold. An answer that
   * was lost on the way may say so of a write that happened: who needs to know puts a name of his own into the bytes.
   */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<string | undefined>;
  /** Stores bytes as they come, however many, with bounded memory. When `source` throws nothing is left, and the caller gets that. */
  upload(key: string, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Copies within the bucket; the copy has the metadata given. */
  copy(from: string, to: string, options?: Pick<PutOptions, 'metadata' | 'contentType'>): Promise<void>;
  /** Idempotent. With a version only that one is deleted, and `false` says that it is another one, or gone. */
  delete(key: string, options?: { version?: string }): Promise<boolean>;
  /** In the order of the keys' bytes. */
  list(prefix: string, options?: { after?: string; limit?: number }): AsyncIterable<ListedObject>;
  /** Gives up uploads that were begun before that moment and never ended; says how many. */
  abandonUploads(before: number): Promise<number>;
  close(): Promise<void>;
}

/** Under which `metadata` key the moment of writing is kept: stores round it to seconds, or say another one after a copy. */
export const WRITTEN_AT = 'written-at';

/** The later of the store's word and the writer's. */
export function modifiedAtOf(storeSays: number, metadata: Readonly<Record<string, string>>): number {
  const writerSays = Number(metadata[WRITTEN_AT]);
  return Number.isSafeInteger(writerSays) ? Math.max(storeSays, writerSays) : storeSays;
}

/** How often an object, or the rest of it, is asked for again when its body breaks off. */
export const RESUMPTIONS = 5;

/** A whole object, `undefined` on a miss. `ERR_STORAGE_READ` when its body breaks off again and again. */
export async function readObject(bucket: Bucket, key: string): Promise<HeldObject | undefined> {
  for (let tries = 0; ; tries++) {
    const object = await bucket.get(key);
    if (!object) return undefined;
    const { body, ...stat } = object;
    try {
      return { ...stat, bytes: await bytesOf({ body }) };
    } catch (cause) {
      if (tries === RESUMPTIONS) throw broken(bucket, key, cause);
    }
  }
}

/** The error for a body that breaks off again and again. */
export function broken({ url }: Pick<Bucket, 'url'>, key: string, cause: unknown): CacheError {
  const message = `reading ${url}${key} breaks off again and again: ${cause}; ask again when the store is well`;
  return new CacheError('ERR_STORAGE_READ', message, { cause });
}

/** All of a body's bytes. */
export async function bytesOf({ body }: Pick<StoredObject, 'body'>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  if (pieces.length === 1) return pieces[0] as Uint8Array;
  return Buffer.concat(pieces);
}
