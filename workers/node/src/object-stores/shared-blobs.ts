import type { BlobBackend, BlobStat, ByteRange, Linkable } from '@_all_docs/content';
import { Hash } from '@_all_docs/content';
import type { SharedTarballs } from '@_all_docs/registry';
import { hash } from 'node:crypto';
import type { BlobReferences } from './blob-references.js';
import type { Bucket } from './bucket.js';
import type { BucketBlobBackend } from './bucket-blob-backend.js';

const INTEGRITIES = 'integrity/';
const NOTHING = new Uint8Array(0);

/**
 * Blobs that several nodes share, each with an index of its own: what one deletes it only lets go of. The collector
 * deletes what nobody holds.
 */
export class SharedBlobBackend implements BlobBackend {
  readonly #inner: BucketBlobBackend;
  readonly #references: BlobReferences;

  constructor(inner: BucketBlobBackend, references: BlobReferences) {
    this.#inner = inner;
    this.#references = references;
  }

  read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.#inner.read(path, range);
  }

  /** The reference is there before the blob has its name: at no moment can it be collected. */
  write(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void> {
    const held = async () => {
      const name = typeof path === 'string' ? path : await path();
      await this.#references.add(name);
      return name;
    };
    return this.#inner.write(held, source);
  }

  stat(path: string): Promise<BlobStat | undefined> {
    return this.#inner.stat(path);
  }

  list(prefix: string): AsyncIterable<string> {
    return this.#inner.list(prefix);
  }

  delete(path: string): Promise<void> {
    return this.#references.remove(path);
  }
}

/**
 * What nodes tell each other of the tarballs that they stored: an object `integrity/{its hash}/{blob}.{size}` for each.
 * Looked up by listing, so that one request says all.
 */
export class SharedIntegrities implements SharedTarballs {
  readonly #bucket: Bucket;
  readonly #backend: Pick<BlobBackend, 'stat'>;
  readonly #references: BlobReferences;

  constructor(options: { bucket: Bucket; backend: Pick<BlobBackend, 'stat'>; references: BlobReferences }) {
    this.#bucket = options.bucket;
    this.#backend = options.backend;
    this.#references = options.references;
  }

  async find(integrity: string): Promise<Linkable | undefined> {
    for await (const { key } of this.#bucket.list(folderOf(integrity))) {
      const [, hex, size] = /\/([0-9a-f]{64})\.(\d+)$/.exec(key) ?? [];
      if (hex === undefined) continue;
      const found = Hash.parse(hex);
      await this.#references.add(found.path);
      if (await this.#backend.stat(found.path)) return { hash: found, size: Number(size) };
      // It was collected.
      await this.#references.remove(found.path);
      await this.#bucket.delete(key);
    }
    return undefined;
  }

  async publish(integrity: string, { hash: blob, size, encoding }: Linkable): Promise<void> {
    if (encoding === 'zstd') return;
    await this.#bucket.put(`${folderOf(integrity)}${blob.toString()}.${size}`, NOTHING);
  }
}

function folderOf(integrity: string): string {
  return `${INTEGRITIES}${hash('sha256', integrity, 'hex')}/`;
}
