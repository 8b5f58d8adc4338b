import { compareBytes, type OrderedStore, type RowChange, type RowExpectation, type RowRange } from '@_all_docs/cache';
import { bytesOf, END, hexOf, textOf } from './bytes.js';
import type { ClientRow, Parameter } from './client.js';
import type { PostgresDatabase } from './database.js';

const PAGE = 1_000;
/** Who changes more keys than this locks all of them at once: PostgreSQL has room for so many locks only. */
const KEYS_LOCKED = 100;

interface Pending {
  changes: readonly RowChange[];
  expect: readonly RowExpectation[];
  resolve: (isDone: boolean) => void;
  reject: (error: unknown) => void;
}

type Query = (text: string, parameters: Parameter[]) => Promise<readonly ClientRow[]>;

/**
 * Rows in PostgreSQL. Commits that arrive together share one transaction: each still holds or fails by itself, in the
 * order of arrival. Whoever commits locks the keys that he changes or expects, rows that are not there included.
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
      const done = await this.#database.transaction((query) => commitAll(query, group));
      group.forEach(({ resolve }, i) => void resolve(done[i] as boolean));
    } catch (error) {
      // One that can never be done does not take the others along.
      if (group.length > 1 && (error as { code?: string }).code === 'ERR_KEY_TOO_LONG') {
        for (const each of group) await this.#settle([each]);
      } else for (const { reject } of group) reject(error);
    }
  }
}

/** Parameters of a page: from a key, not the last one, before an end. */
export function pageOf(start: string, end: string | undefined, last: string | null, limit: number): Parameter[] {
  const from = last !== null && compareBytes(last, start) > 0 ? last : start;
  return [bytesOf(from), last === null ? null : bytesOf(last), end === undefined ? END : bytesOf(end), limit];
}

/** Judges each commit by what the ones before it left, and writes what is left in the end. Gives who was done. */
async function commitAll(query: Query, group: readonly Pending[]): Promise<boolean[]> {
  const expected = new Set(group.flatMap(({ expect }) => expect.map(({ key }) => key)));
  const touched = new Set([...expected, ...group.flatMap(({ changes }) => changes.map(({ key }) => key))]);
  const locked = lock(query, touched);
  const held = expected.size === 0 ? [] : query(SELECT, [json([...expected].map(hexOf))]);
  const rows = new Map((await Promise.all([locked, held]))[1].map((row) => [textOf(row['key']), textOf(row['value'])]));
  const left = new Map<string, string | undefined>();
  const heldNow = (key: string) => (left.has(key) ? left.get(key) : rows.get(key));
  const done = group.map(({ changes, expect }) => {
    if (expect.some(({ key, value }) => heldNow(key) !== value)) return false;
    for (const { key, value } of changes) left.set(key, value);
    return true;
  });
  const puts = [...left].flatMap(([key, value]) => (value === undefined ? [] : [[hexOf(key), hexOf(value)]]));
  const deletes = [...left].flatMap(([key, value]) => (value === undefined ? [hexOf(key)] : []));
  await Promise.all([
    puts.length > 0 && query(PUT, [json(puts)]),
    deletes.length > 0 && query(DELETE, [json(deletes)]),
  ]);
  return done;
}

const KEYS_GIVEN = "SELECT decode(k, 'hex') FROM json_array_elements_text($1::text::json) k";
const SELECT = `SELECT key, value FROM $.rows WHERE key IN (${KEYS_GIVEN})`;
const DELETE = `DELETE FROM $.rows WHERE key IN (${KEYS_GIVEN})`;
const PUT = `INSERT INTO $.rows (key, value)
  SELECT decode(r->>0, 'hex'), decode(r->>1, 'hex') FROM json_array_elements($1::text::json) r
  ON CONFLICT (key) DO UPDATE SET value = excluded.value`;
const LOCK_ALL = "SELECT pg_advisory_xact_lock(hashtextextended('$', 1))";
/** In one order for everybody, so that nobody waits in a circle. */
const LOCK_KEYS = `SELECT pg_advisory_xact_lock_shared(hashtextextended('$', 1))
  UNION ALL SELECT pg_advisory_xact_lock(h) FROM (
    SELECT DISTINCT hashtextextended('$' || k, 2) AS h FROM json_array_elements_text($1::text::json) k ORDER BY h) hashes`;

function lock(query: Query, keys: ReadonlySet<string>): Promise<unknown> {
  return keys.size > KEYS_LOCKED ? query(LOCK_ALL, []) : query(LOCK_KEYS, [json([...keys].map(hexOf))]);
}

function json(value: unknown): string {
  return JSON.stringify(value);
}
