import {
  assertWorkItem,
  type Lease,
  QUEUE_BACKOFF_MS,
  type QueueSize,
  WorkerError,
  type WorkItem,
  type WorkQueue,
} from '@_all_docs/worker/queues';

/**
 * Work in Cloudflare Queues, which brings it by itself: leases are given from the batch that the `queue` handler was
 * called with, and `close` gives back the rest of it. Tries and dead letters are those of `wrangler.jsonc`. Unlike other
 * queues, this one knows no priority and merges no ids; `size` is the service's estimate, and dead items are counted in
 * the queue that they went to, not here.
 */
export class CloudflareQueue implements WorkQueue {
  readonly #queue: Queue;
  readonly #waiting: Message<WorkItem>[];
  readonly #leased = new Map<string, Message<WorkItem>>();
  #closed = false;

  constructor(queue: Queue, batch?: MessageBatch<WorkItem>) {
    this.#queue = queue;
    this.#waiting = [...(batch?.messages ?? [])];
  }

  async enqueue(item: WorkItem): Promise<void> {
    assertWorkItem(item);
    if (this.#closed) throw new WorkerError('ERR_QUEUE_CLOSED', 'the queue is closed');
    await this.#queue.send(item, { contentType: 'json' });
  }

  /** Waits for nothing: what comes later comes with another batch. */
  async lease({ signal }: { waitMs?: number; signal?: AbortSignal } = {}): Promise<Lease | undefined> {
    const message = this.#closed || signal?.aborted ? undefined : this.#waiting.shift();
    if (!message) return undefined;
    const { id, body, attempts } = message;
    this.#leased.set(id, message);
    return { id, item: { ...body, attempts: body.attempts + attempts - 1 } };
  }

  async ack({ id }: Lease): Promise<void> {
    this.#release(id)?.ack();
  }

  async fail({ id, item }: Lease): Promise<void> {
    this.#release(id)?.retry({ delaySeconds: (QUEUE_BACKOFF_MS * 2 ** item.attempts) / 1_000 });
  }

  async size(): Promise<QueueSize> {
    const { backlogCount } = await this.#queue.metrics();
    return { waiting: Math.max(0, backlogCount - this.#leased.size), leased: this.#leased.size, dead: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
    // A message that nobody speaks of counts as acknowledged when the handler ends.
    for (const message of [...this.#leased.values(), ...this.#waiting.splice(0)]) message.retry();
    this.#leased.clear();
  }

  #release(id: string): Message<WorkItem> | undefined {
    const message = this.#leased.get(id);
    this.#leased.delete(id);
    return message;
  }
}
