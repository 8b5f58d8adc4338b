import { createPartitionKey, type StorageDriver } from '@_all_docs/cache';
import { classify, HttpError, type Transport, webCodec } from '@_all_docs/http';
import { parsePackageName } from '@_all_docs/packument';
import type { EdgeRegistry } from '@_all_docs/registry/edge';
import { assertWorkItem, messageOf, WorkerError, type WorkItem, type WorkResult } from '@_all_docs/worker/queues';

export interface WorkEnv {
  origin: string;
  transport: Transport;
  storage: StorageDriver;
  registry: Pick<EdgeRegistry, 'fetch' | 'settle'>;
  /** Tells the feed that the documents of its page are settled. */
  settled(seq: number): Promise<void>;
}

/** The most rows that the origin gives at once. */
const MOST_ROWS = 10_000;

/**
 * Does a work item: `packument` with the name of a document to fetch, or `names` of such that the feed had news of
 * (`news` its sequence); `partition` with the range to list. Trouble is a result; `ERR_BAD_WORK_ITEM` is thrown.
 */
export async function doWork(item: WorkItem, env: WorkEnv): Promise<WorkResult> {
  assertWorkItem(item);
  const work = workOf(item, env);
  try {
    return await work();
  } catch (error) {
    return { success: false, error: messageOf(error), code: (error as { code?: string }).code };
  }
}

function workOf({ type, id, payload }: WorkItem, env: WorkEnv): () => Promise<WorkResult> {
  const { name, names = [name], news, startKey, endKey } = (payload ?? {}) as Record<string, unknown>;
  if (type === 'packument' && Array.isArray(names)) {
    const wanted = names.map((of) => nameOf(of, id));
    return () => documents(wanted, news, env);
  }
  if (type === 'partition') {
    const [start, end] = [startKey, endKey].map((key) => keyOf(key, id)) as [string | null, string | null];
    return () => partition(start, end, env);
  }
  throw bad(id, `no work is called ${JSON.stringify(type)}; there are packument and partition`);
}

async function documents(names: string[], news: unknown, { registry, settled }: WorkEnv): Promise<WorkResult> {
  let rows = 0;
  for (const name of names) {
    if (news === undefined ? await registry.fetch(name) : (await registry.settle(name)) === 'settled') rows += 1;
  }
  if (typeof news === 'number') await settled(news);
  return { success: true, rows };
}

/** Stores one page: a range of more rows must be split by whoever asks. */
async function partition(
  startKey: string | null,
  endKey: string | null,
  { origin, transport, storage }: WorkEnv,
): Promise<WorkResult> {
  const bound = (key: string, value: string | null) =>
    value === null ? '' : `&${key}=${encodeURIComponent(JSON.stringify(value))}`;
  const url = `${origin.replace(/\/$/, '')}/_all_docs?limit=${MOST_ROWS}${bound('startkey', startKey)}${bound('endkey', endKey)}&inclusive_end=false`;
  const response = await transport({ url, headers: { accept: 'application/json', 'accept-encoding': 'gzip' } });
  const { status, body, encoding } = response;
  if (status !== 200 || classify(response) !== 'ok')
    throw new HttpError('ERR_FETCH_FAILED', `${url}: status ${status}`, { status });
  const { rows } = JSON.parse(new TextDecoder().decode(await webCodec.decode(body, encoding))) as { rows: unknown[] };
  if (rows.length >= MOST_ROWS) {
    return { success: false, code: 'ERR_TOO_LARGE', error: `the range has ${MOST_ROWS} names or more: split it` };
  }
  const packed = encoding === 'gzip' ? body : await webCodec.gzip(await webCodec.decode(body, encoding));
  const metadata = { storedAt: Date.now(), encoding: 'gzip', size: packed.length } as const;
  await storage.write(createPartitionKey(startKey, endKey, origin), { body: packed, metadata });
  return { success: true, rows: rows.length, bytes: packed.length };
}

function nameOf(name: unknown, id: string): string {
  try {
    return parsePackageName(name as string);
  } catch (error) {
    throw bad(id, messageOf(error));
  }
}

function keyOf(key: unknown, id: string): string | null {
  if (key === null || (typeof key === 'string' && key !== '' && key.isWellFormed())) return key;
  throw bad(id, 'a partition needs startKey and endKey: text, or null for no bound');
}

function bad(id: string, why: string): WorkerError {
  return new WorkerError('ERR_BAD_WORK_ITEM', `work item ${id}: ${why}`);
}
