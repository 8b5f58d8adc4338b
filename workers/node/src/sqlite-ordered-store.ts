import { compareBytes, type OrderedStore, type RowChange, type RowExpectation, type RowRange } from '@_all_docs/cache';
import type { StatementSync } from 'node:sqlite';
import { SqliteFile } from './sqlite-file.js';

const PAGE = 1_000;
/** After every text, as SQLite orders values: the end of a range that has none. */
const END = new Uint8Array(0);

/**
 * Rows in a {@link SqliteFile}. Commits that arrive together share one transaction: each still holds or fails by itself.
 * Given a path, it opens a file of its own, with that one's error codes.
 */
export class SqliteOrderedStore implements OrderedStore {
  readonly #file: SqliteFile;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #page: StatementSync;

  constructor(file: SqliteFile | string) {
    this.#file = typeof file === 'string' ? new SqliteFile(file) : file;
    const { database } = this.#file;
    this.#get = database.prepare('SELECT value FROM rows WHERE key = ?');
    this.#put = database.prepare(
      'INSERT INTO rows (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
    );
    this.#delete = database.prepare('DELETE FROM rows WHERE key = ?');
    // Each bound on its own, so that SQLite begins at the key where the last page ended, and ends with the range.
    this.#page = database.prepare(
      'SELECT key, value FROM rows WHERE key >= ?1 AND key IS NOT ?2 AND key < ?3 ORDER BY key LIMIT ?4',
    );
  }

  async get(key: string): Promise<string | undefined> {
    return this.#file.read(() => this.#value(key));
  }

  async *list({
    start = '',
    end,
    after,
    limit = Number.POSITIVE_INFINITY,
  }: RowRange = {}): AsyncIterable<[string, string]> {
    // Page by page, so that no read transaction stays open while the caller works.
    for (let last = after ?? null, left = limit; left > 0; ) {
      const asked = Math.min(PAGE, left);
      const from = last !== null && compareBytes(last, start) > 0 ? last : start;
      const page = () => this.#page.all(from, last, end ?? END, asked);
      const rows = this.#file.read(page) as { key: string; value: string }[];
      for (const { key, value } of rows) yield [key, value];
      if (rows.length < asked) return;
      left -= rows.length;
      last = rows.at(-1)?.key ?? last;
    }
  }

  commit(changes: readonly RowChange[], expect: readonly RowExpectation[] = []): Promise<boolean> {
    return this.#file.transact(() => {
      if (expect.some(({ key, value }) => this.#value(key) !== value)) return false;
      for (const { key, value } of changes) {
        if (value === undefined) this.#delete.run(key);
        else this.#put.run(key, value);
      }
      return true;
    });
  }

  /** Writes what is pending and closes the file. */
  close(): void {
    this.#file.close();
  }

  #value(key: string): string | undefined {
    return this.#get.get(key)?.['value'] as string | undefined;
  }
}
