import { parsePackageName } from '@_all_docs/packument';
import type { EdgeRegistry } from '@_all_docs/registry/edge';
import {
  assertWorkItem,
  codeOf,
  messageOf,
  type PackumentPayload,
  type PartitionPayload,
  WorkerError,
  type WorkItem,
  type WorkResult,
} from '@_all_docs/worker';
import type { FastlyEnv } from './create-env.js';
import { listPartition } from './list-partition.js';

/** A request may ask backends 32 times, and one item up to four times where the origin is in trouble. */
const MOST_ITEMS = 8;
const MOST_BYTES = 64 * 1024;

export type WorkAnswer = { id: string } & WorkResult;

/** The items of a request's body: one, or a list of up to eight. `ERR_BAD_WORK_ITEM` for anything else. */
export async function readWork(request: Request): Promise<WorkItem[]> {
  const text = await request.text();
  if (text.length > MOST_BYTES) throw bad(`a body of over ${MOST_BYTES} characters`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw bad('a body that is not JSON');
  }
  const items = (Array.isArray(body) ? body : [body]) as WorkItem[];
  if (items.length > MOST_ITEMS) throw bad(`${items.length} items`);
  for (const item of items) assertWorkItem(item);
  return items;
}

/** Does the items one after the other; trouble is a result. */
export async function doWork(
  items: readonly WorkItem[],
  env: FastlyEnv,
  registry: EdgeRegistry,
): Promise<WorkAnswer[]> {
  const answers: WorkAnswer[] = [];
  for (const item of items) answers.push({ id: item.id, ...(await settle(item, env, registry)) });
  return answers;
}

async function settle({ type, payload }: WorkItem, env: FastlyEnv, registry: EdgeRegistry): Promise<WorkResult> {
  try {
    if (type === 'partition') return { success: true, rows: await listPartition(env, payload as PartitionPayload) };
    if (type !== 'packument') throw new WorkerError('ERR_BAD_WORK_ITEM', `unknown type of work: ${type}`);
    const name = parsePackageName((payload as PackumentPayload)?.name);
    return (await registry.fetch(name)) ? { success: true } : { success: true, status: 404 };
  } catch (error) {
    return { success: false, error: messageOf(error), code: codeOf(error) };
  }
}

function bad(what: string): WorkerError {
  return new WorkerError(
    'ERR_BAD_WORK_ITEM',
    `cannot work on ${what}; send one work item as JSON, or a list of up to ${MOST_ITEMS}`,
  );
}
