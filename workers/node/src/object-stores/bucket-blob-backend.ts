import { CacheError } from '@_all_docs/cache';
import { assertRange, type BlobBackend, type BlobStat, type ByteRange } from '@_all_docs/content';
import { randomUUID } from 'node:crypto';
import { type Bucket, broken, bytesOf, RESUMPTIONS, type StoredObject, WRITTEN_AT } from './bucket.js';

/** Up to this a blob is held in memory and put at once, under its name. */
const SMALL_BYTES = 4 * 1024 * 1024;
/** What a read asks for first. Most blobs are no longer, and end there. */
const FIRST_BYTES = 1024 * 1024;
const PATH = /^blobs(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;
const TYPE = 'application/octet-stream';
/** Uploads that have no name yet lie below. */
export const UPLOADS = 'tmp/';

/**
 * Blobs as objects of a bucket. A small one is put under its name; a larger one is uploaded below `tmp/` while it comes,
 * and copied to its name within the bucket when it is whole. Reading asks for one MiB, then for the rest in one
 * stream, pinned to the version that was found and resumed where it breaks off.
 */
export class BucketBlobBackend implements BlobBackend {
  readonly #bucket: Bucket;
  readonly #clock: { now(): number };

  constructor(bucket: Bucket, clock: { now(): number } = Date) {
    this.#bucket = bucket;
    this.#clock = clock;
  }

  async read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    const key = keyOf(path);
    if (range) assertRange(range, Number.MAX_SAFE_INTEGER);
    const start = range?.start ?? 0;
    const end = Math.min(range?.end ?? Number.POSITIVE_INFINITY, start + FIRST_BYTES);
    for (let tries = 0; ; tries++) {
      const found = await this.#first(key, start, end);
      if (!found) return undefined;
      const { object, bytes } = found;
      const last = range?.end ?? object.size;
      assertRange({ start, end: last }, object.size);
      if (bytes.length === Math.min(last, end) - start) return this.#stream(key, object, bytes, start, last);
      if (tries === RESUMPTIONS) throw broken(this.#bucket, key, undefined);
    }
  }

  async write(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void> {
    const small: Uint8Array[] = [];
    let length = 0;
    const pieces = source[Symbol.asyncIterator]();
    let done = false;
    const next = async () => {
      const result = await pieces.next();
      done = result.done === true;
      return result;
    };
    try {
      while (length <= SMALL_BYTES) {
        const { value, done } = await next();
        if (done) return await this.#put(await nameOf(path), small, length);
        small.push(value);
        length += value.length;
      }
      const rest = { [Symbol.asyncIterator]: () => ({ next }) };
      await this.#upload(path, this.#limited(small, rest));
    } finally {
      if (!done) await pieces.return?.();
    }
  }

  async stat(path: string): Promise<BlobStat | undefined> {
    const found = await this.#bucket.head(keyOf(path));
    return found && { size: found.size, modifiedAt: found.modifiedAt };
  }

  async *list(prefix: string): AsyncIterable<string> {
    if (!'blobs/'.startsWith(prefix) && !prefix.startsWith('blobs/')) return;
    for await (const { key } of this.#bucket.list(prefix.length < 'blobs/'.length ? 'blobs/' : prefix)) yield key;
  }

  async delete(path: string): Promise<void> {
    await this.#bucket.delete(keyOf(path));
  }

  async #put(name: string, pieces: Uint8Array[], length: number): Promise<void> {
    const body = pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces, length);
    await this.#bucket.put(keyOf(name), body, this.#described());
  }

  async #upload(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void> {
    const temporary = `${UPLOADS}${randomUUID()}`;
    try {
      await this.#bucket.upload(temporary, source);
      const key = keyOf(await nameOf(path));
      await this.#bucket.copy(temporary, key, this.#described());
    } finally {
      // What stays here is collected with other uploads that nobody ended.
      await this.#bucket.delete(temporary).catch(() => undefined);
    }
  }

  #described() {
    return { metadata: { [WRITTEN_AT]: String(this.#clock.now()) }, contentType: TYPE };
  }

  /** What was held so far, which is let go of piece by piece, and the rest; ends when it is more than the store takes. */
  async *#limited(first: Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    let length = 0;
    for (let piece = first.shift(); piece; piece = first.shift()) {
      length += piece.length;
      yield piece;
    }
    for await (const piece of rest) {
      length += piece.length;
      if (length > this.#bucket.maxBytes) {
        const message = `a blob of more than ${this.#bucket.maxBytes} bytes is over what ${this.#bucket.url} takes as one object`;
        throw new CacheError('ERR_VALUE_TOO_LARGE', message);
      }
      yield piece;
    }
  }

  /** The object and what came of the bytes asked for; a body that breaks off is shorter. */
  async #first(
    key: string,
    start: number,
    end: number,
  ): Promise<{ object: StoredObject; bytes: Uint8Array } | undefined> {
    if (start === end) {
      const stat = await this.#bucket.head(key);
      return stat && { object: { ...stat, body: none() }, bytes: new Uint8Array(0) };
    }
    const object = await this.#bucket.get(key, { start, end });
    if (!object) return undefined;
    return { object, bytes: await bytesOf(object).catch(() => new Uint8Array(0)) };
  }

  async *#stream(
    key: string,
    { version }: StoredObject,
    first: Uint8Array,
    start: number,
    end: number,
  ): AsyncIterable<Uint8Array> {
    let at = start + first.length;
    // Asked for before the first piece is handed out: from then on the blob may be deleted.
    let rest = at < end ? await this.#bucket.get(key, { start: at, end, version }) : undefined;
    let isRead = false;
    try {
      if (first.length > 0) yield first;
      isRead = true;
    } finally {
      if (!isRead) await leave(rest);
    }
    for (let tries = 0; at < end; tries++) {
      rest ??= await this.#bucket.get(key, { start: at, end, version });
      if (!rest) throw broken(this.#bucket, key, 'it was deleted or replaced meanwhile');
      try {
        for await (const piece of rest.body) {
          at += piece.length;
          yield piece;
        }
        if (at < end) throw new Error(`it ended at ${at} of ${end} bytes`);
      } catch (error) {
        if (tries === RESUMPTIONS) throw broken(this.#bucket, key, error);
      }
      rest = undefined;
    }
  }
}

/** `ERR_BAD_KEY` for a path that could lead elsewhere. */
function keyOf(path: string): string {
  if (!PATH.test(path)) throw new CacheError('ERR_BAD_KEY', `not a blob's path: ${JSON.stringify(path)}`);
  return path;
}

async function nameOf(path: string | (() => string | Promise<string>)): Promise<string> {
  return typeof path === 'string' ? path : path();
}

async function leave(object: StoredObject | undefined): Promise<void> {
  await object?.body[Symbol.asyncIterator]().return?.();
}

async function* none(): AsyncIterable<Uint8Array> {}
