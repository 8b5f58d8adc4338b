import {
  assertKey,
  CacheError,
  type EntryMetadata,
  type ListOptions,
  prefixRange,
  type StoredEntry,
} from '@_all_docs/cache';
import { bodyDigest, matchesDigest } from './body-digest.js';
import { CacacheWriter, contentPath } from './cacache-writer.js';
import { ENTRY } from './cache-directory.js';
import { DirectoryDriver, type NodeStorageOptions } from './directory-driver.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { readError, writeError } from './storage-errors.js';

/** Up to this a body is read by a synchronous call: a trip through the thread pool costs more. */
const SMALL_BYTES = 256 * 1024;

/** An index row: the entry's metadata, and where cacache keeps the body. */
interface IndexRow extends EntryMetadata {
  integrity: string;
}

/**
 * Bodies in cacache, their index in SQLite beside it. The directory stays a cache that npm's own cacache library
 * reads, lists and verifies; but what counts is the index row, which is committed after the body. Bodies are read by
 * their digest, so a damaged cacache index can neither hide an entry nor bring back an older one.
 */
export class NodeStorageDriver extends DirectoryDriver {
  readonly #fs: FileSystem;
  readonly #writer: CacacheWriter;
  #missing = 0;

  constructor(cachePath: string, options: NodeStorageOptions = {}) {
    super('cacache', cachePath, options);
    this.#fs = options.fs ?? nodeFileSystem;
    this.#writer = new CacacheWriter(cachePath, this.#fs, options.durability ?? 'process');
  }

  /** Rows whose body was not there when it was asked for: each was answered as a miss. */
  get missingBodies(): number {
    return this.#missing;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    const row = await this.#row(key);
    if (!row) return undefined;
    const { integrity, ...metadata } = row;
    const path = contentPath(this.cachePath, integrity);
    let body: Buffer;
    try {
      body =
        row.size !== undefined && row.size <= SMALL_BYTES ? this.#fs.readFileSync(path) : await this.#fs.readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return this.#lost(key, row);
      throw readError(key, error);
    }
    if (matchesDigest(body, integrity)) return { body, metadata };
    // Out of the way at once: it would be kept when the same bytes are stored again.
    this.#fs.rmSync(path, { force: true });
    await this.#lost(key, row);
    throw new CacheError(
      'ERR_CORRUPT',
      `the stored bytes of ${key} do not match their digest and were removed; fetch the entry again`,
    );
  }

  /** Says what is known only of an entry that is there: a row whose body is gone must not pass for one that is held. */
  async head(key: string): Promise<EntryMetadata | undefined> {
    const row = await this.#row(key);
    if (!row) return undefined;
    const { integrity, ...metadata } = row;
    try {
      const content = this.#fs.statSync(contentPath(this.cachePath, integrity), { throwIfNoEntry: false });
      return content?.size === row.size ? metadata : await this.#lost(key, row);
    } catch (error) {
      throw readError(key, error);
    }
  }

  /** What cacache goes by. */
  override async digest(body: Uint8Array): Promise<string> {
    return bodyDigest(body, 'sha512');
  }

  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const { ordered } = await this.openDirectory();
    try {
      // Body and row are put in line at once, so writers of one key cannot mix theirs.
      const integrity = this.#writer.put(key, body, metadata, this.clock.now());
      const row: IndexRow = { ...metadata, size: body.length, digest: metadata.digest ?? integrity, integrity };
      await ordered.commit([{ key: ENTRY + key, value: JSON.stringify(row) }]);
    } catch (error) {
      throw writeError(key, error);
    }
  }

  override async touch(key: string, metadata: Partial<EntryMetadata>): Promise<void> {
    for (;;) {
      const row = await this.#row(key);
      if (!row) return;
      const before = { key: ENTRY + key, value: JSON.stringify(row) };
      const after = { key: ENTRY + key, value: JSON.stringify({ ...row, ...metadata }) };
      // Refused when the entry was written or deleted meanwhile: that one is looked at anew.
      if (await this.ordered.commit([after], [before])) return;
    }
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const { ordered } = await this.openDirectory();
    try {
      if (await this.#row(key)) this.#writer.remove(key, this.clock.now());
      await ordered.commit([{ key: ENTRY + key, value: undefined }]);
    } catch (error) {
      throw writeError(key, error);
    }
  }

  async *list(prefix = '', { after, limit }: ListOptions = {}): AsyncIterable<string> {
    const { ordered } = await this.openDirectory();
    const rows = ordered.list({
      ...prefixRange(ENTRY + prefix),
      after: after === undefined ? undefined : ENTRY + after,
      limit,
    });
    for await (const [key] of rows) yield key.slice(ENTRY.length);
  }

  async #row(key: string): Promise<IndexRow | undefined> {
    assertKey(key, this.maxKeyBytes);
    const { ordered } = await this.openDirectory();
    const text = await ordered.get(ENTRY + key);
    return text === undefined ? undefined : (JSON.parse(text) as IndexRow);
  }

  /** Counts a row without a body and drops it, unless somebody has written the entry anew meanwhile. */
  async #lost(key: string, row: IndexRow): Promise<undefined> {
    this.#missing += 1;
    const value = JSON.stringify(row);
    await this.ordered.commit([{ key: ENTRY + key, value: undefined }], [{ key: ENTRY + key, value }]);
    return undefined;
  }
}
