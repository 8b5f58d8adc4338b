import { CacheError } from '@_all_docs/cache';
import { BLOB_PREFIX, type BlobRow, ContentError, Hash, INDEX_PREFIXES, type IndexRow } from '@_all_docs/content';
import { HttpError, LARGE_BODY_BYTES } from '@_all_docs/http';
import { DERIVED_PREFIX } from '@_all_docs/registry';
import { entryChunks } from './entry-chunks.js';
import type { Damage } from './import-blobs.js';
import { inParallel } from './in-parallel.js';
import type { OpenBlobs } from './open-blobs.js';
import type { ReplicaMender } from './replica-mender.js';
import type { ReplicaSource, SourceEntry } from './replica-source.js';
import { zlibCodec } from './zlib-codec.js';

export interface VerifyOptions {
  /** Removes what is damaged; without it nothing is changed. */
  mender?: ReplicaMender | undefined;
  signal?: AbortSignal | undefined;
  report?: ((event: VerifyEvent) => void) | undefined;
}

/** What a verification tells while it works. */
export type VerifyEvent =
  | { type: 'progress'; done: number; total: number; errors: number }
  | ({ type: 'error' } & Damage);

/** What was read, and found. */
export interface VerifyResult {
  /** Entries and their bytes, as stored. Derived ones are not among them: they are made again when need be. */
  entries: number;
  bytes: number;
  blobs: number;
  /** Bytes of the blobs' content. */
  blobBytes: number;
  /** Rows that refer to blobs. */
  rows: number;
  /** Blobs that no row refers to. They are no damage: they are swept after a grace period. */
  orphans: number;
  /** Entries and blobs whose bytes are not what they should be or are gone, and rows that say something else of a blob than is true. */
  damaged: number;
  /** Rows whose blob is not there. */
  missing: number;
  /** Entries, blobs and rows that were removed. */
  removed: number;
}

/** Bodies and blobs that are read at once. */
const AT_ONCE = 4;

/**
 * Reads everything that a replica holds and proves it: entries against size and digest, what is compressed by unpacking
 * it to its end, blobs against their hash and size, every row that refers to a blob against that one. What is in memory
 * does not grow with the replica. Damage is reported and counted; rejects with the signal's reason, or with
 * `ERR_STORAGE_READ` where nothing can be said.
 */
export async function verifyReplica(
  source: ReplicaSource,
  blobs: Pick<OpenBlobs, 'store'>,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const verification = new Verification(source, blobs.store, options);
  await verification.entries();
  await verification.blobs();
  await verification.orphans();
  await verification.rows();
  source.assertUnchanged();
  return verification.result;
}

class Verification {
  readonly result: VerifyResult = {
    entries: 0,
    bytes: 0,
    blobs: 0,
    blobBytes: 0,
    rows: 0,
    orphans: 0,
    damaged: 0,
    missing: 0,
    removed: 0,
  };
  readonly #source: ReplicaSource;
  readonly #store: OpenBlobs['store'];
  readonly #options: VerifyOptions;
  readonly #total: number;
  /** Damaged blobs, told of already: rows that refer to one are not told of again. */
  readonly #damaged = new Set<string>();
  #done = 0;

  constructor(source: ReplicaSource, store: OpenBlobs['store'], options: VerifyOptions) {
    this.#source = source;
    this.#store = store;
    this.#options = options;
    this.#total = source.size + source.count(BLOB_PREFIX) + source.references;
  }

  async entries(): Promise<void> {
    for (const chunk of entryChunks(this.#source.entries())) {
      await inParallel(chunk, AT_ONCE, async (entry) => {
        if (!entry.key.startsWith(DERIVED_PREFIX)) await this.#entry(entry);
        this.#step();
      });
    }
  }

  async blobs(): Promise<void> {
    await inParallel(this.#source.rows(BLOB_PREFIX), AT_ONCE, async ([key, text]) => {
      await this.#blob(key, text);
      this.#step();
    });
  }

  /** Blobs without a row: a crash, or somebody who stores one just now. */
  async orphans(): Promise<void> {
    await inParallel(this.#store.list(), AT_ONCE, async (hash) => {
      this.#options.signal?.throwIfAborted();
      if (this.#source.row(BLOB_PREFIX + hash.id) !== undefined) return;
      const size = await this.#content(hash);
      if (size === undefined) return;
      this.#count(size);
      this.result.orphans += 1;
    });
  }

  async rows(): Promise<void> {
    for (const prefix of INDEX_PREFIXES) {
      await inParallel(this.#source.rows(prefix), AT_ONCE, async ([key, text]) => {
        this.result.rows += 1;
        await this.#row(key, text);
        this.#step();
      });
    }
  }

  async #entry(entry: SourceEntry): Promise<void> {
    this.result.entries += 1;
    try {
      const body = await this.#source.body(entry);
      this.result.bytes += body.length;
      await unpackWhole(body, entry);
    } catch (error) {
      const isDamage =
        (error instanceof CacheError && error.code === 'ERR_CORRUPT') ||
        (error instanceof HttpError && (error.code === 'ERR_ENCODING' || error.code === 'ERR_TOO_LARGE'));
      if (!isDamage) throw error;
      this.#damage({ code: error.code, message: `${entry.key}: ${error.message}`, key: entry.key });
      await this.#mend(({ removeEntry }) => removeEntry(entry));
    }
  }

  async #blob(key: string, text: string): Promise<void> {
    const hash = Hash.parse(key.slice(BLOB_PREFIX.length));
    const { refs, size } = JSON.parse(text) as BlobRow;
    const found = await this.#content(hash);
    // Who refers to it is told of with the rows.
    if (found === undefined) return;
    this.#count(found);
    if (refs === 0) this.result.orphans += 1;
    if (found === size) return;
    const message = `the blob ${hash} has ${found} bytes, its row says ${size}`;
    this.#damage({ code: 'ERR_CORRUPT', message, key });
    await this.#mend(({ correctSize }) => correctSize(key, text, found));
  }

  /** The size of a blob that is whole; `undefined` for one that is gone, or damaged and told of. */
  async #content(hash: Hash): Promise<number | undefined> {
    try {
      return await this.#store.verify(hash);
    } catch (error) {
      if (!(error instanceof ContentError)) throw error;
      this.result.blobs += 1;
      this.#damaged.add(hash.id);
      this.#damage({ code: error.code, message: error.message, key: BLOB_PREFIX + hash.id });
      await this.#mend(({ removeBlob }) => removeBlob(hash));
      return undefined;
    }
  }

  async #row(key: string, text: string): Promise<void> {
    const row = JSON.parse(text) as IndexRow;
    const hash = Hash.parse(row.blob);
    const remove = () => this.#mend(({ removeRow }) => removeRow(key, row));
    if (this.#damaged.has(hash.id)) return remove();
    if (!(await this.#store.has(hash))) {
      // Evicted since the index was read, most likely.
      if (!(await this.#isStill(key, text))) return;
      this.result.missing += 1;
      this.#report({ type: 'error', code: 'ERR_BLOB_MISSING', message: `${key}: the blob ${hash} is gone`, key });
      return remove();
    }
    const counted = this.#source.row(BLOB_PREFIX + hash.id);
    const size = counted === undefined ? undefined : (JSON.parse(counted) as BlobRow).size;
    if (size === row.size) return;
    const says = size === undefined ? 'nobody counts who refers to it' : `its blob has ${size}`;
    this.#damage({ code: 'ERR_CORRUPT', message: `${key}: the row says ${row.size} bytes, ${says}`, key });
    await remove();
  }

  async #isStill(key: string, text: string): Promise<boolean> {
    const { mender } = this.#options;
    return (mender ? await mender.row(key) : this.#source.rowNow(key)) === text;
  }

  #count(size: number): void {
    this.result.blobs += 1;
    this.result.blobBytes += size;
  }

  #damage(damage: Damage): void {
    this.result.damaged += 1;
    this.#report({ type: 'error', ...damage });
  }

  async #mend(remove: (mender: ReplicaMender) => Promise<boolean>): Promise<void> {
    const { mender } = this.#options;
    if (mender && (await remove(mender))) this.result.removed += 1;
  }

  #step(): void {
    this.#options.signal?.throwIfAborted();
    this.#done += 1;
    const errors = this.result.damaged + this.result.missing;
    this.#report({ type: 'progress', done: this.#done, total: this.#total, errors });
  }

  #report(event: VerifyEvent): void {
    this.#options.report?.(event);
  }
}

/** At once where that fits in memory, else piece by piece. */
async function unpackWhole(body: Uint8Array, { metadata: { encoding } }: SourceEntry): Promise<void> {
  try {
    await zlibCodec.decode(body, encoding, LARGE_BODY_BYTES);
  } catch (error) {
    if (!(error instanceof HttpError && error.code === 'ERR_TOO_LARGE')) throw error;
    for await (const _ of zlibCodec.decodeStream(body, encoding));
  }
}
