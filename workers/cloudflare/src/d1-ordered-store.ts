import type { OrderedStore, RowChange, RowExpectation, RowRange } from '@_all_docs/cache';
import { reading, writing } from './entry.js';
import { checks, GET, isRefusal, listPages, pageOf, type Statement, writes } from './rows.js';

/**
 * Rows in D1, in the table that `migrations/` makes: the same as Node's. A commit is one batch, all or nothing.
 *
 * A database holds 10 GB. Rows are small (an index row takes some 200 bytes: 5 million packages fill a tenth of it) and
 * bodies never lie here: they are in KV and R2, under keys that the rows tell.
 */
export class D1OrderedStore implements OrderedStore {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  async get(key: string): Promise<string | undefined> {
    const value = await reading(key, this.#prepare([GET, [key]]).first<string>('value'));
    return value ?? undefined;
  }

  list(range: RowRange = {}): AsyncIterable<[key: string, value: string]> {
    return listPages(range, (asked) => {
      const rows = this.#prepare(pageOf(asked)).raw<[string, string]>();
      return reading(asked.start ?? '', rows);
    });
  }

  async commit(changes: readonly RowChange[], expect: readonly RowExpectation[] = []): Promise<boolean> {
    const statements = [...checks(expect), ...writes(changes)].map((statement) => this.#prepare(statement));
    if (statements.length === 0) return true;
    const done = this.#db.batch(statements).then(
      () => true,
      (error) => {
        if (isRefusal(error)) return false;
        throw error;
      },
    );
    return writing(changes[0]?.key ?? '', done);
  }

  #prepare([sql, values]: Statement): D1PreparedStatement {
    return this.#db.prepare(sql).bind(...values);
  }
}
