import {
  assertKey,
  CacheError,
  compareBytes,
  type EntryMetadata,
  type ListOptions,
  prefixRange,
  type StoredEntry,
} from '@_all_docs/cache';
import type { StatementSync } from 'node:sqlite';
import { bodyDigest, matchesDigest } from './body-digest.js';
import { DirectoryDriver, type NodeStorageOptions } from './directory-driver.js';
import { ENTRY_TABLES, EntryReader, EntryWriter } from './sqlite-bodies.js';
import type { SqliteFile } from './sqlite-file.js';

const PAGE = 1_000;
/** After every text, as SQLite orders values: the end of a range that has none. */
const END = new Uint8Array(0);

interface Statements {
  file: SqliteFile;
  reader: EntryReader;
  writer: EntryWriter;
  head: StatementSync;
  touch: StatementSync;
  page: StatementSync;
}

/**
 * Bodies and index in one SQLite file: no file per entry, and a body is committed with its row. Entries are written
 * fastest in the order of their keys, as a bootstrap does. Every read is checked against the digest.
 */
export class SqliteStorageDriver extends DirectoryDriver {
  #statements: Promise<Statements> | undefined;

  constructor(cachePath: string, options: NodeStorageOptions = {}) {
    super('sqlite', cachePath, options);
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    assertKey(key, this.maxKeyBytes);
    const { file, reader } = await this.#open();
    const row = file.read(() => reader.get(key));
    if (!row) return undefined;
    const metadata = JSON.parse(row.metadata) as EntryMetadata;
    if (metadata.size !== row.body.length || !matchesDigest(row.body, metadata.digest)) {
      throw new CacheError(
        'ERR_CORRUPT',
        `the stored bytes of ${key} do not match their digest; fetch the entry again`,
      );
    }
    return { body: row.body, metadata };
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    const { file, head } = await this.#open();
    const row = file.read(() => head.get(key));
    return row && (JSON.parse(row['metadata'] as string) as EntryMetadata);
  }

  override async digest(body: Uint8Array): Promise<string> {
    return bodyDigest(body);
  }

  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const text = JSON.stringify({ ...metadata, size: body.length, digest: metadata.digest ?? bodyDigest(body) });
    const { file, writer } = await this.#open();
    await file.transact(() => writer.put(key, text, body));
  }

  override async touch(key: string, changed: Partial<EntryMetadata>): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const { file, head, touch } = await this.#open();
    await file.transact(() => {
      const row = head.get(key);
      if (row) touch.run(JSON.stringify({ ...JSON.parse(row['metadata'] as string), ...changed }), key);
    });
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const { file, writer } = await this.#open();
    await file.transact(() => writer.delete(key));
  }

  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    const { file, page } = await this.#open();
    const { start = '', end } = prefixRange(prefix);
    for (let last = after ?? null, left = limit; left > 0; ) {
      const asked = Math.min(PAGE, left);
      const from = last !== null && compareBytes(last, start) > 0 ? last : start;
      const keys = file.read(() => page.all(from, last, end ?? END, asked)) as { key: string }[];
      for (const { key } of keys) yield key;
      if (keys.length < asked) return;
      left -= keys.length;
      last = keys.at(-1)?.key ?? last;
    }
  }

  override async close(): Promise<void> {
    this.#statements = undefined;
    await super.close();
  }

  #open(): Promise<Statements> {
    this.#statements ??= this.openDirectory().then(({ file }) => prepare(file));
    return this.#statements;
  }
}

/** The table is made here and not with the rows': a directory of the other kind has no use for it. */
function prepare(file: SqliteFile): Statements {
  const { database } = file;
  // Metadata before the body: whoever asks for it alone never touches the pages that the body fills.
  database.exec(ENTRY_TABLES);
  return {
    file,
    reader: new EntryReader(database),
    writer: new EntryWriter(database),
    head: database.prepare('SELECT metadata FROM entries WHERE key = ?'),
    touch: database.prepare('UPDATE entries SET metadata = ? WHERE key = ?'),
    // Each bound on its own, so that SQLite begins at the key where the last page ended, and ends with the range.
    page: database.prepare(
      'SELECT key FROM entries WHERE key >= ?1 AND key IS NOT ?2 AND key < ?3 ORDER BY key LIMIT ?4',
    ),
  };
}
