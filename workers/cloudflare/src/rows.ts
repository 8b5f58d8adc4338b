import { compareBytes, type RowChange, type RowExpectation, type RowRange } from '@_all_docs/cache';

/** SQL with its parameters. Both engines take 100 of them. */
export type Statement = [sql: string, values: (string | number | null)[]];

const MOST_VALUES = 100;
const PAGE = 1_000;

export const GET = 'SELECT value FROM rows WHERE key = ?1';

/** Statements that fail, one for each 50 expectations, unless all of them hold. */
export function* checks(expect: readonly RowExpectation[]): Iterable<Statement> {
  for (const some of chunks(expect, MOST_VALUES / 2)) {
    // `json` is the one function that fails on demand: the transaction is rolled back by it.
    const holds = some.map(() => '(SELECT value FROM rows WHERE key = ?) IS ?').join(' AND ');
    yield [`SELECT json(iif(${holds}, '1', 'x'))`, some.flatMap(({ key, value }) => [key, value ?? null])];
  }
}

/** Whether a batch failed by {@link checks}. */
export function isRefusal(error: unknown): boolean {
  return /malformed JSON/.test(String(error));
}

/** Statements that make all changes; the last one of a key counts. */
export function* writes(changes: readonly RowChange[]): Iterable<Statement> {
  const rows = [...new Map(changes.map(({ key, value }) => [key, value]))];
  const removed = rows.flatMap(([key, value]) => (value === undefined ? [key] : []));
  const put = rows.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
  for (const keys of chunks(removed, MOST_VALUES)) {
    yield [`DELETE FROM rows WHERE key IN (${keys.map(() => '?')})`, keys];
  }
  for (const some of chunks(put, MOST_VALUES / 2)) {
    yield [
      `INSERT INTO rows VALUES ${some.map(() => '(?, ?)')} ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      some.flat(),
    ];
  }
}

/** One page of a listing. */
export function pageOf({ start = '', end, after, limit = PAGE }: RowRange): Statement {
  const isPast = after !== undefined && compareBytes(after, start) >= 0;
  return [
    `SELECT key, value FROM rows WHERE key ${isPast ? '>' : '>='} ?1 AND key < ${end === undefined ? "x''" : '?3'} ORDER BY key LIMIT ?2`,
    [isPast ? after : start, Math.min(limit, PAGE), ...(end === undefined ? [] : [end])],
  ];
}

/** A listing, page by page. */
export async function* listPages(
  range: RowRange,
  page: (range: RowRange) => Promise<[key: string, value: string][]>,
): AsyncIterable<[key: string, value: string]> {
  for (let { after, limit: left = Number.POSITIVE_INFINITY } = range; left > 0; ) {
    const asked = Math.min(PAGE, left);
    const rows = await page({ ...range, after, limit: asked });
    yield* rows;
    if (rows.length < asked) return;
    left -= rows.length;
    after = rows.at(-1)?.[0];
  }
}

function* chunks<T>(items: readonly T[], length: number): Iterable<T[]> {
  for (let at = 0; at < items.length; at += length) yield items.slice(at, at + length);
}
