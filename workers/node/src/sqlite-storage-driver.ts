import {
  assertKey,
  CacheError,
  type EntryMetadata,
  type ListOptions,
  prefixRange,
  type StoredEntry,
} from '@_all_docs/cache';
import type { StatementSync } from 'node:sqlite';
import { bodyDigest, matchesDigest } from './body-digest.js';
import { DirectoryDriver, type NodeStorageOptions } from './directory-driver.js';
import type { SqliteFile } from './sqlite-file.js';

const PAGE = 1_000;

interface Statements {
  file: SqliteFile;
  read: StatementSync;
  head: StatementSync;
  put: StatementSync;
  touch: StatementSync;
  delete: StatementSync;
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
    const { file, read } = await this.#open();
    const row = file.read(() => read.get(key)) as { metadata: string; body: Uint8Array } | undefined;
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

  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    const text = JSON.stringify({ ...metadata, size: body.length, digest: metadata.digest ?? bodyDigest(body) });
    const { file, put } = await this.#open();
    await file.transact(() => put.run(key, text, body));
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
    const { file, delete: remove } = await this.#open();
    await file.transact(() => remove.run(key));
  }

  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    const { file, page } = await this.#open();
    const { start = '', end } = prefixRange(prefix);
    for (let last: string | null = after ?? null, left = limit; left > 0; ) {
      const asked = Math.min(PAGE, left);
      const keys = file.read(() => page.all(last, start, end ?? null, asked)) as { key: string }[];
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
    this.#statements ??= this.open().then(({ file }) => prepare(file));
    return this.#statements;
  }
}

/** The table is made here and not with the rows': a directory of the other kind has no use for it. */
function prepare(file: SqliteFile): Statements {
  const { database } = file;
  // Metadata before the body: whoever asks for it alone never touches the pages that the body fills.
  database.exec(
    'CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, metadata TEXT NOT NULL, body BLOB NOT NULL)',
  );
  return {
    file,
    read: database.prepare('SELECT metadata, body FROM entries WHERE key = ?'),
    head: database.prepare('SELECT metadata FROM entries WHERE key = ?'),
    put: database.prepare(
      'INSERT INTO entries (key, metadata, body) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET metadata = excluded.metadata, body = excluded.body',
    ),
    touch: database.prepare('UPDATE entries SET metadata = ? WHERE key = ?'),
    delete: database.prepare('DELETE FROM entries WHERE key = ?'),
    page: database.prepare(
      'SELECT key FROM entries WHERE (?1 IS NULL OR key > ?1) AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4',
    ),
  };
}
