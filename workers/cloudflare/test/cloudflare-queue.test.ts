import type { Lease, WorkItem } from '@_all_docs/worker';
import { CloudflareQueue } from '@_all_docs/worker-cloudflare';
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';

const item = (id: string, more: Partial<WorkItem> = {}): WorkItem => ({
  type: 'packument',
  id,
  payload: { name: id },
  priority: 1,
  attempts: 0,
  ...more,
});
/** A batch as the service brings it: each item with the tries that it had. */
function deliver(items: readonly [item: WorkItem, tries: number][]) {
  const messages = items.map(([body, attempts]) => ({ id: body.id, timestamp: new Date(0), attempts, body }));
  const batch = createMessageBatch('all-docs-work', messages);
  return {
    batch,
    queue: new CloudflareQueue(env.WORK, batch),
    told: () => getQueueResult(batch, createExecutionContext()),
  };
}

it('sends items that any queue could carry, and no others', async () => {
  const queue = new CloudflareQueue(env.WORK);
  await queue.enqueue(item('a'));
  expect(await codeOf(() => queue.enqueue(item('a', { priority: 0 })))).toBe('ERR_BAD_WORK_ITEM');
  await queue.close();
  expect(await codeOf(() => queue.enqueue(item('b')))).toBe('ERR_QUEUE_CLOSED');
  expect(await queue.lease()).toBeUndefined();
});

it('leases what the batch brought, tells the service of each how it ended, and gives back the rest', async () => {
  const { batch, queue, told } = deliver([
    [item('done'), 1],
    [item('failed'), 1],
    [item('failed-again', { attempts: 1 }), 2],
    [item('held'), 1],
    [item('unseen'), 1],
  ]);
  const pauses = batch.messages.slice(1, 3).map((message) => vi.spyOn(message, 'retry'));
  const leases: Lease[] = [];
  for (let i = 0; i < 4; i++) leases.push((await queue.lease({ waitMs: 1_000 })) as Lease);
  expect(leases.map(({ item }) => [item.id, item.attempts])).toEqual([
    ['done', 0],
    ['failed', 0],
    ['failed-again', 2],
    ['held', 0],
  ]);
  const [done, failed, again] = leases as [Lease, Lease, Lease];
  await queue.ack(done);
  await queue.ack(done);
  await queue.fail(failed);
  await queue.fail(again);
  await queue.ack(failed);
  await queue.close();
  const { explicitAcks, retryMessages } = await told();
  expect(explicitAcks).toEqual(['done']);
  expect(retryMessages.map(({ msgId }) => msgId)).toEqual(['failed', 'failed-again', 'held', 'unseen']);
  expect(pauses.map((retry) => retry.mock.calls)).toEqual([[[{ delaySeconds: 2 }]], [[{ delaySeconds: 8 }]]]);
});
