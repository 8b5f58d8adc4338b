import { compareBytes, type OrderedStore, type RowChange, type RowExpectation, type RowRange } from '@_all_docs/cache';
import { bytesOf, END, hexOf, textOf } from './bytes.js';
import type { Parameter } from './client.js';
import type { PostgresDatabase } from './database.js';

const PAGE = 1_000;
interface Pending {
  changes: readonly RowChange[];
  expect: readonly RowExpectation[];
  resolve: (isDone: boolean) => void;
  reject: (error: unknown) => void;
}

/**
 * Rows in PostgreSQL. Commits that arrive together share one transaction and one trip: each still holds or fails by
 * itself, in the order of arrival.
 */
export class PostgresOrderedStore implements OrderedStore {
  readonly #database: PostgresDatabase;
  #pending: Pending[] = [];
  #isFlushing = false;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async get(key: string): Promise<string | undefined> {
    const [row] = await this.#database.read('SELECT value FROM $.rows WHERE key = $1', [bytesOf(key)]);
    return row && textOf(row['value']);
  }

  async *list({
    start = '',
    end,
    after,
    limit = Number.POSITIVE_INFINITY,
  }: RowRange = {}): AsyncIterable<[string, string]> {
    for (let last = after ?? null, left = limit; left > 0; ) {
      const asked = Math.min(PAGE, left);
      const rows = await this.#database.read(
        'SELECT key, value FROM $.rows WHERE key >= $1 AND ($2::bytea IS NULL OR key <> $2) AND key < $3 ORDER BY key LIMIT $4',
        pageOf(start, end, last, asked),
      );
      for (const row of rows) {
        last = textOf(row['key']);
        yield [last, textOf(row['value'])];
      }
      if (rows.length < asked) return;
      left -= rows.length;
    }
  }

  /** A connection that is lost in the midst is `ERR_STORAGE_WRITE`: then it may have been done or not. */
  commit(changes: readonly RowChange[], expect: readonly RowExpectation[] = []): Promise<boolean> {
    return this.#database.track(
      () =>
        new Promise((resolve, reject) => {
          this.#pending.push({ changes, expect, resolve, reject });
          if (!this.#isFlushing) void this.#flush();
        }),
    );
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    // What is asked for in the same turn goes together.
    for (await undefined; this.#pending.length > 0; ) {
      const group = this.#pending;
      this.#pending = [];
      await this.#settle(group);
    }
    this.#isFlushing = false;
  }

  async #settle(group: readonly Pending[]): Promise<void> {
    try {
      const done = await this.#commitAll(group);
      group.forEach(({ resolve }, i) => void resolve(done[i] as boolean));
    } catch (error) {
      // One that can never be done does not take the others along.
      if (group.length > 1 && (error as { code?: string }).code === 'ERR_KEY_TOO_LONG') {
        for (const each of group) await this.#settle([each]);
      } else for (const { reject } of group) reject(error);
    }
  }

  async #commitAll(group: readonly Pending[]): Promise<boolean[]> {
    const touched = new Set(group.flatMap(({ changes, expect }) => [...changes, ...expect].map(({ key }) => key)));
    const [row] = await this.#database.writeOnce('SELECT $.commit_rows($1::text::json, $2::text::json)::text AS done', [
      JSON.stringify([...touched].map(hexOf)),
      JSON.stringify(group.map(commitOf)),
    ]);
    return JSON.parse(row?.['done'] as string) as boolean[];
  }
}

/** Parameters of a page: from a key, not the last one, before an end. */
export function pageOf(start: string, end: string | undefined, last: string | null, limit: number): Parameter[] {
  const from = last !== null && compareBytes(last, start) > 0 ? last : start;
  return [bytesOf(from), last === null ? null : bytesOf(last), end === undefined ? END : bytesOf(end), limit];
}

/** A commit as the function in the database takes it: of several changes of a key the last one counts. */
function commitOf({ changes, expect }: Pending): object {
  const left = new Map(changes.map(({ key, value }) => [key, value]));
  return {
    expect: expect.map(({ key, value }) => [hexOf(key), value === undefined ? null : hexOf(value)]),
    put: [...left].flatMap(([key, value]) => (value === undefined ? [] : [[hexOf(key), hexOf(value)]])),
    remove: [...left].flatMap(([key, value]) => (value === undefined ? [hexOf(key)] : [])),
  };
}
