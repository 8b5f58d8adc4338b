import type { OrderedStore, RowChange, RowExpectation, RowRange } from '@_all_docs/cache';
import { checks, GET, isRefusal, listPages, pageOf, type Statement, writes } from './rows.js';

/** Rows in the storage of a Durable Object, for use inside of it. What it resolved is durable before the object answers. */
export class DurableObjectOrderedStore implements OrderedStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#run(['CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID', []]);
  }

  async get(key: string): Promise<string | undefined> {
    return this.#run([GET, [key]])[0]?.[0];
  }

  list(range: RowRange = {}): AsyncIterable<[key: string, value: string]> {
    return listPages(range, async (asked) => this.page(asked));
  }

  /** Up to 1,000 rows of a range. */
  page(range: RowRange): [key: string, value: string][] {
    return this.#run(pageOf(range)) as [string, string][];
  }

  async commit(changes: readonly RowChange[], expect: readonly RowExpectation[] = []): Promise<boolean> {
    try {
      this.#storage.transactionSync(() => {
        for (const statement of checks(expect)) this.#run(statement);
        for (const statement of writes(changes)) this.#run(statement);
      });
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  #run([sql, values]: Statement): string[][] {
    return [...this.#storage.sql.exec(sql, ...values).raw<string[]>()];
  }
}
