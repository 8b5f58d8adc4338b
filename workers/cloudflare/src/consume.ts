import type { WorkItem, WorkResult } from '@_all_docs/worker/queues';

/** Does the messages of a Cloudflare queue, one after the other. What fails comes again later, until the queue gives it up. */
export async function consume(
  batch: MessageBatch<WorkItem>,
  work: (item: WorkItem) => Promise<WorkResult>,
): Promise<void> {
  for (const message of batch.messages) {
    const result = await work(message.body).catch((error): WorkResult => ({ success: false, error: String(error) }));
    if (result.success) message.ack();
    else {
      const { body, attempts } = message;
      console.warn(JSON.stringify({ message: 'work failed', id: body?.id, attempts, ...result }));
      message.retry({ delaySeconds: 2 ** attempts });
    }
  }
}
