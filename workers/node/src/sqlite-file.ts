import { CacheError } from '@_all_docs/cache';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { readError, writeError } from './storage-errors.js';

/** `_ado` as SQLite's application id: tells our files from others'. */
export const APPLICATION_ID = 0x5f61646f;
/** Raised when an older version of this package could not read the file any more. */
export const FORMAT = 1;

/**
 * What a resolved write survives: `process` the end of the process however it comes, `power` a power cut too
 * (SQLite syncs each shared transaction to the disk).
 */
export type Durability = 'process' | 'power';

interface Pending {
  work: () => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: each caller gets what its own work gave
  resolve: (value: any) => void;
  reject: (error: Error) => void;
}

/** One SQLite file (WAL) in which work that arrives together shares one transaction. Safe for several processes. */
export class SqliteFile {
  readonly path: string;
  readonly database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #pending: Pending[] = [];
  #flushing: NodeJS.Immediate | undefined;

  /** `ERR_CACHE_NEWER` for a file that a newer version made, `ERR_CACHE_FOREIGN` for one that is not ours, `ERR_CACHE_UNWRITABLE` when it cannot be opened. */
  constructor(path: string, durability: Durability = 'process') {
    this.path = path;
    this.database = open(path, durability);
    this.#begin = this.database.prepare('BEGIN IMMEDIATE');
    this.#commit = this.database.prepare('COMMIT');
  }

  /**
   * Runs `work` in the next shared transaction and resolves with what it gave, after the commit. When the transaction
   * fails, all of it fails: `ERR_DISK_FULL`, `ERR_STORAGE_WRITE`.
   */
  transact<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ work, resolve, reject });
      this.#flushing ??= setImmediate(() => this.#flush());
    });
  }

  /** What `read` gives; its trouble is `ERR_STORAGE_READ`. */
  read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw readError(this.path, error);
    }
  }

  /** Writes what is pending and closes the file. */
  close(): void {
    if (this.#flushing) this.#flush();
    this.database.close();
  }

  #flush(): void {
    if (this.#flushing) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const group = this.#pending;
    this.#pending = [];
    let given: unknown[];
    try {
      this.#begin.run();
      try {
        given = group.map(({ work }) => work());
        this.#commit.run();
      } catch (error) {
        if (this.database.isTransaction) this.database.exec('ROLLBACK');
        throw error;
      }
    } catch (error) {
      for (const { reject } of group) reject(writeError(this.path, error));
      return;
    }
    group.forEach(({ resolve }, i) => {
      resolve(given[i]);
    });
  }
}

/** How long whoever finds the file locked waits, in all. */
const LOCKED_MS = 10_000;
const OPEN_PAUSE_MS = 20;

/** Two who make the same file at once: SQLite does not wait where the journal's mode changes, so we do. */
function open(path: string, durability: Durability): DatabaseSync {
  const giveUpAt = performance.now() + LOCKED_MS;
  for (;;) {
    try {
      return openOnce(path, durability);
    } catch (error) {
      if (performance.now() > giveUpAt || !/database is locked/.test(String(error))) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS);
    }
  }
}

function openOnce(path: string, durability: Durability): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: LOCKED_MS });
    const made = isMade(database, path);
    // Large pages hold most bodies whole: a third of the writes, and of the pages that a checkpoint copies.
    database.exec(
      `PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'};`,
    );
    database.exec(`
      BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      ${made ? '' : `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT};`}
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
  if (format > FORMAT) {
    throw new CacheError(
      'ERR_CACHE_NEWER',
      `${path} was made by a newer version (format ${format}, this one reads ${FORMAT}); update _all_docs, or choose another directory with --cache`,
    );
  }
  return id === APPLICATION_ID && format === FORMAT;
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
