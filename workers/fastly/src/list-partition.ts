import { compareBytes, createPartitionKey, type EntryMetadata } from '@_all_docs/cache';
import { HttpError } from '@_all_docs/http';
import {
  type AllDocsPage,
  type AllDocsRow,
  assertRange,
  type KeyRange,
  PAGE_LIMIT,
  PartitionError,
} from '@_all_docs/partition';
import type { FastlyEnv } from './create-env.js';

/** Some 50 ms of CPU: what Fastly grants a request. */
const MOST_ROWS = PAGE_LIMIT;
const PLAIN = /^[\0-\ud7ff]*$/;

/**
 * Lists a range into the store, as `PartitionClient` does and under the same key, and gives the number of its rows. Pages are
 * parsed by the host: a scan of their bytes, which is faster on other runtimes, runs in an interpreter here.
 * `ERR_TOO_LARGE` for a range of more than a page, which is to be split; `ERR_BAD_PAGE` for pages that cannot be trusted.
 */
export async function listPartition(
  env: Pick<FastlyEnv, 'origin' | 'transport' | 'storage' | 'clock' | 'codec'>,
  payload: KeyRange,
): Promise<number> {
  const range = { startKey: payload?.startKey ?? null, endKey: payload?.endKey ?? null };
  assertRange(range);
  const rows: AllDocsRow[] = [];
  let totalRows = 0;
  for (let isOver = false; !isOver; ) {
    const page = await askPage(env, rows.at(-1)?.id ?? range.startKey, range.endKey);
    totalRows = page.total_rows;
    isOver = take(page.rows, range, rows);
    if (rows.length > MOST_ROWS) {
      throw new HttpError('ERR_TOO_LARGE', `the range has over ${MOST_ROWS} rows; split it: _all_docs partition split`);
    }
  }
  const text = JSON.stringify({ total_rows: totalRows, offset: 0, rows });
  const body = await (env.codec as NonNullable<typeof env.codec>).gzip(new TextEncoder().encode(text));
  const metadata: EntryMetadata = { storedAt: env.clock.now(), encoding: 'gzip', size: body.length };
  await env.storage.write(createPartitionKey(range.startKey, range.endKey, env.origin), { body, metadata });
  return rows.length;
}

async function askPage(
  { origin, transport, codec }: Pick<FastlyEnv, 'origin' | 'transport' | 'codec'>,
  startKey: string | null,
  endKey: string | null,
): Promise<AllDocsPage> {
  const start = startKey === null ? '' : `startkey=${encodeURIComponent(JSON.stringify(startKey))}&`;
  const end = endKey === null ? '' : `endkey=${encodeURIComponent(JSON.stringify(endKey))}&`;
  const url = `${origin}/_all_docs?${start}${end}limit=${PAGE_LIMIT}`;
  const response = await transport({ url, headers: { accept: 'application/json', 'accept-encoding': 'gzip' } });
  if (response.status !== 200) {
    throw new HttpError('ERR_NOT_REGISTRY', `${origin}/_all_docs answered ${response.status}; check the item origin`, {
      status: response.status,
    });
  }
  const bytes = await (codec as NonNullable<typeof codec>).decode(response.body, response.encoding);
  let page: Partial<AllDocsPage> | undefined;
  try {
    page = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    // Said below.
  }
  if (!Array.isArray(page?.rows) || !Number.isFinite(page.total_rows))
    throw new PartitionError('ERR_BAD_PAGE', 'the origin answered _all_docs with something that has no rows');
  return page as AllDocsPage;
}

/** Takes a page's rows of the range past those that were taken; whether nothing more can come. */
function take(page: readonly AllDocsRow[], { startKey, endKey }: KeyRange, rows: AllDocsRow[]): boolean {
  const before = rows.length;
  let last = rows.at(-1)?.id;
  for (const { id, value } of page) {
    if (typeof id !== 'string' || id.startsWith('_design/')) continue;
    if (startKey !== null && compare(id, startKey) < 0) continue;
    if (endKey !== null && compare(id, endKey) >= 0) return true;
    const order = last === undefined ? 1 : compare(id, last);
    if (order < 0) throw new PartitionError('ERR_BAD_PAGE', `the origin's rows are out of order: ${id} after ${last}`);
    if (order === 0) continue;
    rows.push({ id, key: id, value: { rev: value?.rev } });
    last = id;
  }
  return rows.length === before;
}

/** By bytes; the engine's own comparison says the same of all text below the surrogates. */
function compare(a: string, b: string): number {
  if (!PLAIN.test(a) || !PLAIN.test(b)) return compareBytes(a, b);
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
