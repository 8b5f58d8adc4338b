import { PackumentClient } from '@_all_docs/packument';
import { PartitionClient } from '@_all_docs/partition';
import { codeOf, messageOf, WorkerError } from './errors.js';
import type { Env, PackumentPayload, PartitionPayload, WorkItem, WorkQueue, WorkResult } from './interfaces.js';

/** Lists one range into the cache: `{ success: true, rows }`, or `{ success: false, error }`; never throws. */
export function processPartition(workItem: WorkItem<PartitionPayload>, env: Env): Promise<WorkResult> {
  return settle(async () => {
    const client = new PartitionClient({ env });
    const result = await client.request(workItem.payload, { refresh: true });
    return { success: true, rows: result.json().rows.length };
  });
}

/** Fetches one document into the cache: `{ success: true, bytes }` (with `status` when the registry has none), or `{ success: false, error }`; never throws. */
export function processPackument(workItem: WorkItem<PackumentPayload>, env: Env): Promise<WorkResult> {
  return settle(async () => {
    const client = new PackumentClient({ env });
    const { name } = workItem.payload;
    const result = await client.fetch(name, { known: await client.heldMetadata(name) });
    return { success: true, bytes: result.bytes, ...(result.outcome === 'absent' ? { status: result.status } : {}) };
  });
}

/** Does what the item's type says. An unknown type is a failure, not an exception: queues carry what others put in. */
export function processWorkItem(item: WorkItem, env: Env): Promise<WorkResult> {
  switch (item.type) {
    case 'partition':
      return processPartition(item as WorkItem<PartitionPayload>, env);
    case 'packument':
      return processPackument(item as WorkItem<PackumentPayload>, env);
    default:
      return settle(() => Promise.reject(new WorkerError('ERR_BAD_WORK_ITEM', `unknown type of work: ${item.type}`)));
  }
}

/** Works a queue off until nothing comes for `idleMs`, or the signal stops it. Gives how many items succeeded and failed. */
export async function workQueue(
  queue: WorkQueue,
  env: Env,
  { idleMs = 0, signal }: { idleMs?: number; signal?: AbortSignal } = {},
): Promise<{ succeeded: number; failed: number }> {
  const count = { succeeded: 0, failed: 0 };
  const underWay = new Set<Promise<void>>();
  for (;;) {
    const lease = await queue.lease({ waitMs: idleMs, ...(signal ? { signal } : {}) });
    if (!lease) {
      if (underWay.size === 0 || signal?.aborted) break;
      await Promise.race(underWay);
      continue;
    }
    const task = processWorkItem(lease.item, env).then(async (result) => {
      count[result.success ? 'succeeded' : 'failed'] += 1;
      await (result.success ? queue.ack(lease) : queue.fail(lease, result.error));
      underWay.delete(task);
    });
    underWay.add(task);
  }
  await Promise.all(underWay);
  return count;
}

async function settle(work: () => Promise<WorkResult>): Promise<WorkResult> {
  try {
    return await work();
  } catch (error) {
    return { success: false, error: messageOf(error), code: codeOf(error) };
  }
}
