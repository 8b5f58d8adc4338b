import { assertRange, type BlobBackend, type BlobStat, type ByteRange } from './backend.js';
import { ContentError } from './errors.js';
import { Hash } from './hash.js';
import type { Hashers } from './hasher.js';
import { type Expectation, IntegrityCheck } from './integrity.js';
import { type BlobCodec, join, LARGEST_PACKED, once, packed } from './packing.js';

/** How a blob is coded at rest. What goes in and out is always identity. */
export type BlobEncoding = 'identity' | 'zstd';

export interface StoreOptions {
  backend: BlobBackend;
  hashers: Hashers;
  /** zstd, where every reader of the store can unpack it. */
  codec?: BlobCodec | undefined;
}

export interface PutOptions extends Expectation {
  /** Pack it at rest where that helps. Not for what is packed already: `.tgz`, `.zip`. */
  compress?: boolean | undefined;
}

/** What became of a {@link Store.put}. */
export interface PutResult {
  hash: Hash;
  /** Bytes of the content. */
  size: number;
  /** The hash of the expected integrity that matched; `undefined` when none was expected. */
  integrity: string | undefined;
  encoding: BlobEncoding;
}

/** A blob that is there. */
export interface StoredBlob {
  readonly size: number;
  /**
   * Its bytes, or those of a range (`ERR_BAD_RANGE`). When they are not what was stored it ends with `ERR_BLOB_DAMAGED`
   * before the last piece; when the blob was deleted before the reading began, with `ERR_BLOB_MISSING`.
   */
  stream(range?: ByteRange): AsyncIterable<Uint8Array>;
  /** All of it at once, for a blob that is known to be small. */
  bytes(): Promise<Uint8Array>;
}

const PACKED = '.zst';
const MOST_TRUSTED = 50_000;

/**
 * Blobs by the hash of their content. What is put is hashed while it streams, and gets its name when it is whole and as
 * expected. What is read is hashed again the first time, and whenever its file was modified since; ranges are not.
 */
export class Store {
  /** What hashes are made with here. */
  readonly hashers: Hashers;
  readonly #backend: BlobBackend;
  readonly #codec: BlobCodec | undefined;
  /** When a blob that was found whole had been modified last. Oldest first out. */
  readonly #trusted = new Map<string, number>();
  #damaged = 0;

  constructor({ backend, hashers, codec }: StoreOptions) {
    this.hashers = hashers;
    this.#backend = backend;
    this.#codec = codec;
  }

  /** Blobs so far whose bytes were not those of their hash: each was deleted, and is a miss from then on. */
  get damaged(): number {
    return this.#damaged;
  }

  /**
   * Stores what `source` gives. `ERR_INTEGRITY` when it is not what was expected, and then nothing is stored; nor is it
   * when the source throws.
   */
  async put(source: AsyncIterable<Uint8Array>, { compress, ...expected }: PutOptions = {}): Promise<PutResult> {
    const { address } = this.hashers;
    const check = await IntegrityCheck.create(expected, this.hashers);
    const hasher = await this.hashers.create(address);
    const result: Partial<PutResult> = {};
    const looked = async function* () {
      for await (const bytes of source) {
        await check.update(bytes);
        await hasher.update(bytes);
        yield bytes;
      }
      result.integrity = await check.end();
      result.hash = new Hash(await hasher.digest(), address);
    };
    const { source: content, packed: isPacked } =
      compress && this.#codec ? await packed(this.#codec, looked()) : { source: looked(), packed: false };
    const path = () => (result.hash as Hash).path + (isPacked ? PACKED : '');
    await this.#backend.write(path, content);
    const { hash, integrity } = result;
    return { hash: hash as Hash, size: check.length, integrity, encoding: isPacked ? 'zstd' : 'identity' };
  }

  /** The blob; `undefined` on a miss. */
  async get(hash: Hash): Promise<StoredBlob | undefined> {
    const stat = await this.#backend.stat(hash.path);
    if (stat) {
      const stream = (range?: ByteRange) => this.#read(hash, stat, range);
      return { size: stat.size, stream, bytes: () => collect(stream()) };
    }
    const whole = this.#codec && (await this.#unpack(hash, this.#codec));
    if (!whole) return undefined;
    return { size: whole.length, stream: (range) => slice(whole, range), bytes: async () => whole };
  }

  async has(hash: Hash): Promise<boolean> {
    return (await this.stat(hash)) !== undefined;
  }

  /**
   * Bytes of the blob's content, after reading and hashing all of it; `undefined` on a miss. `ERR_BLOB_DAMAGED` for a
   * blob whose bytes are not those of its hash: unlike {@link get}, this leaves it where it is.
   */
  async verify(hash: Hash): Promise<number | undefined> {
    const source = (await this.#backend.read(hash.path)) ?? (await this.#unpacked(hash));
    if (!source) return undefined;
    const hasher = await this.hashers.create(hash.algorithm);
    let size = 0;
    for await (const bytes of source) {
      await hasher.update(bytes);
      size += bytes.length;
    }
    if (!new Hash(await hasher.digest(), hash.algorithm).equals(hash)) throw damaged(hash);
    return size;
  }

  /** What lies at rest for a hash; `undefined` on a miss. */
  async stat(hash: Hash): Promise<BlobStat | undefined> {
    const stat = await this.#backend.stat(hash.path);
    return stat ?? (this.#codec && (await this.#backend.stat(hash.path + PACKED)));
  }

  /** Idempotent. Whoever reads the blob already reads it to its end. */
  async delete(hash: Hash): Promise<void> {
    this.#trusted.delete(hash.path);
    await this.#backend.delete(hash.path);
    if (this.#codec) await this.#backend.delete(hash.path + PACKED);
  }

  /** Hashes of all blobs that are addressed as this store does it. */
  async *list(): AsyncIterable<Hash> {
    const scheme = this.hashers.address === 'blake3' ? '' : `${this.hashers.address}:`;
    for await (const path of this.#backend.list('blobs/')) {
      const [, folder, hex] =
        /^blobs\/(sha\d+:)?[0-9a-f]{2}\/([0-9a-f]{64,128})(?:\.zst)?$/.exec(
          path.replace(/^blobs\/(sha\d+)\//, 'blobs/$1:'),
        ) ?? [];
      if (hex && (folder ?? '') === scheme) yield Hash.parse(scheme + hex);
    }
  }

  async *#read(hash: Hash, stat: BlobStat, range: ByteRange | undefined): AsyncIterable<Uint8Array> {
    if (range) assertRange(range, stat.size);
    const source = await this.#backend.read(hash.path, range);
    if (!source) throw new ContentError('ERR_BLOB_MISSING', `the blob ${hash} was deleted before it was read`);
    if (range || this.#trusted.get(hash.path) === stat.modifiedAt) {
      yield* source;
      return;
    }
    const hasher = await this.hashers.create(hash.algorithm);
    let last: Uint8Array | undefined;
    for await (const bytes of source) {
      await hasher.update(bytes);
      if (last) yield last;
      last = bytes;
    }
    await this.#settle(hash, new Hash(await hasher.digest(), hash.algorithm), stat);
    if (last) yield last;
  }

  /** The content of a packed blob; damage stays where it is. */
  async #unpacked(hash: Hash): Promise<AsyncIterable<Uint8Array> | undefined> {
    const source = this.#codec && (await this.#backend.read(hash.path + PACKED));
    if (!source || !this.#codec) return undefined;
    const bytes = await collect(source);
    try {
      return once(await this.#codec.unpack(bytes, LARGEST_PACKED));
    } catch (cause) {
      throw damaged(hash, cause);
    }
  }

  async #unpack(hash: Hash, codec: BlobCodec): Promise<Uint8Array | undefined> {
    const source = await this.#backend.read(hash.path + PACKED);
    if (!source) return undefined;
    const bytes = await collect(source);
    let whole: Uint8Array;
    try {
      whole = await codec.unpack(bytes, LARGEST_PACKED);
    } catch (cause) {
      throw await this.#discard(hash, cause);
    }
    const hasher = await this.hashers.create(hash.algorithm);
    await hasher.update(whole);
    await this.#settle(hash, new Hash(await hasher.digest(), hash.algorithm));
    return whole;
  }

  async #settle(hash: Hash, found: Hash, stat?: BlobStat): Promise<void> {
    if (!found.equals(hash)) throw await this.#discard(hash);
    if (!stat) return;
    const [oldest] = this.#trusted.keys();
    if (this.#trusted.size >= MOST_TRUSTED && oldest !== undefined) this.#trusted.delete(oldest);
    this.#trusted.set(hash.path, stat.modifiedAt);
  }

  /** Out of the way at once: it would be kept when the same content is put again. */
  async #discard(hash: Hash, cause?: unknown): Promise<ContentError> {
    this.#damaged += 1;
    await this.delete(hash);
    return new ContentError('ERR_BLOB_DAMAGED', `the blob ${hash} was damaged at rest and is deleted; fetch it again`, {
      cause,
    });
  }
}

function damaged(hash: Hash, cause?: unknown): ContentError {
  return new ContentError('ERR_BLOB_DAMAGED', `the bytes of the blob ${hash} are not those of its hash`, { cause });
}

async function* slice(whole: Uint8Array, range: ByteRange | undefined): AsyncIterable<Uint8Array> {
  if (range) assertRange(range, whole.length);
  yield* once(range ? whole.subarray(range.start, range.end) : whole);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of source) {
    pieces.push(bytes);
    length += bytes.length;
  }
  return join(pieces, length);
}
