import { CacheError, type OrderedStore, type RowChange, type RowExpectation, type RowRange } from '@_all_docs/cache';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { readError, writeError } from './storage-errors.js';

/** `_ado` as SQLite's application id: tells our files from others'. */
const APPLICATION_ID = 0x5f61646f;
/** Raised when an older version of this package could not read the file any more. */
const INDEX_FORMAT = 1;
const PAGE = 1_000;

interface Pending {
  changes: readonly RowChange[];
  expect: readonly RowExpectation[];
  resolve: (done: boolean) => void;
  reject: (error: Error) => void;
}

/**
 * Rows in one SQLite file (WAL). Commits that arrive together share one transaction: each still holds or fails by
 * itself, and resolves after the transaction is written. Safe for several processes on one file.
 */
export class SqliteOrderedStore implements OrderedStore {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #page: StatementSync;
  #pending: Pending[] = [];
  #flushing: NodeJS.Immediate | undefined;

  /** `ERR_CACHE_NEWER` for a file that a newer version made, `ERR_CACHE_FOREIGN` for one that is not ours, `ERR_CACHE_UNWRITABLE` when it cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    this.#database = open(path);
    this.#get = this.#database.prepare('SELECT value FROM rows WHERE key = ?');
    this.#put = this.#database.prepare(
      'INSERT INTO rows (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    this.#delete = this.#database.prepare('DELETE FROM rows WHERE key = ?');
    this.#page = this.#database.prepare(
      'SELECT key, value FROM rows WHERE (?1 IS NULL OR key > ?1) AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4',
    );
  }

  async get(key: string): Promise<string | undefined> {
    return this.#read(() => this.#value(key));
  }

  async *list({
    start = '',
    end,
    after,
    limit = Number.POSITIVE_INFINITY,
  }: RowRange = {}): AsyncIterable<[string, string]> {
    // Page by page, so that no read transaction stays open while the caller works.
    for (let last: string | null = after ?? null, left = limit; left > 0; ) {
      const asked = Math.min(PAGE, left);
      const rows = this.#read(() => this.#page.all(last, start, end ?? null, asked)) as {
        key: string;
        value: string;
      }[];
      for (const { key, value } of rows) yield [key, value];
      if (rows.length < asked) return;
      left -= rows.length;
      last = rows.at(-1)?.key ?? last;
    }
  }

  commit(changes: readonly RowChange[], expect: readonly RowExpectation[] = []): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes, expect, resolve, reject });
      this.#flushing ??= setImmediate(() => this.#flush());
    });
  }

  /** Writes what is pending and closes the file. */
  close(): void {
    if (this.#flushing) this.#flush();
    this.#database.close();
  }

  #flush(): void {
    if (this.#flushing) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const group = this.#pending;
    this.#pending = [];
    let done: boolean[];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        done = group.map((pending) => this.#apply(pending));
        this.#database.exec('COMMIT');
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    } catch (error) {
      for (const { reject } of group) reject(writeError(`rows in ${this.#path}`, error));
      return;
    }
    group.forEach(({ resolve }, i) => {
      resolve(done[i] as boolean);
    });
  }

  #apply({ changes, expect }: Pending): boolean {
    if (expect.some(({ key, value }) => this.#value(key) !== value)) return false;
    for (const { key, value } of changes) {
      if (value === undefined) this.#delete.run(key);
      else this.#put.run(key, value);
    }
    return true;
  }

  #value(key: string): string | undefined {
    return this.#get.get(key)?.['value'] as string | undefined;
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw readError(`rows in ${this.#path}`, error);
    }
  }
}

function open(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 10_000 });
    const made = isMade(database, path);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    database.exec(`
      BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      ${made ? '' : `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${INDEX_FORMAT};`}
      COMMIT;`);
    return database;
  } catch (error) {
    database?.close();
    throw unusable(path, error);
  }
}

/**
 * Whether the file bears our marks already; `ERR_CACHE_FOREIGN`, `ERR_CACHE_NEWER`. They are written only once:
 * a file on a full disk can then still be opened.
 */
function isMade(database: DatabaseSync, path: string): boolean {
  const id = database.prepare('PRAGMA application_id').get()?.['application_id'];
  const format = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  const tables = Number(database.prepare('SELECT count(*) AS n FROM sqlite_master').get()?.['n']);
  if (id !== APPLICATION_ID && (id !== 0 || tables > 0)) {
    throw new CacheError(
      'ERR_CACHE_FOREIGN',
      `${path} belongs to another program; choose another directory with --cache`,
    );
  }
  if (format > INDEX_FORMAT) {
    throw new CacheError(
      'ERR_CACHE_NEWER',
      `${path} was made by a newer version (format ${format}, this one reads ${INDEX_FORMAT}); update _all_docs, or choose another directory with --cache`,
    );
  }
  return id === APPLICATION_ID && format === INDEX_FORMAT;
}

export function unusable(path: string, error: unknown): CacheError {
  if (error instanceof CacheError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/not a database|malformed/i.test(message)) {
    return new CacheError(
      'ERR_CACHE_FOREIGN',
      `${path} is not an index of this program, or is damaged (${message}); move it away, or choose another directory with --cache`,
      { cause: error },
    );
  }
  const full = writeError(path, error);
  if (full.code === 'ERR_DISK_FULL') return full;
  return new CacheError(
    'ERR_CACHE_UNWRITABLE',
    `cannot open ${path}: ${message}; check the rights on the directory, or choose another one with --cache`,
    { cause: error },
  );
}
