import type { Clock } from '@_all_docs/http';
import {
  assertWorkItem,
  type Lease,
  messageOf,
  type QueueSize,
  WorkerError,
  type WorkItem,
  type WorkQueue,
} from '@_all_docs/worker/queues';
import { systemClock } from './clock.js';
import type { TakeOptions } from './work-items.js';
import type { WorkQueueObject } from './work-queue-object.js';

export interface DurableObjectQueueOptions extends Pick<TakeOptions, 'concurrency' | 'leaseMs'> {
  /** Which queue of the namespace; `default` unless told. */
  name?: string | undefined;
  /** Pause between two looks at a queue that has nothing to give, in milliseconds; 1,000 unless told. */
  pollMs?: number | undefined;
  clock?: Clock | undefined;
}

/** Work for many workers, kept by a `WorkQueueObject`. Of all of them together, 10 items are leased at once unless told. */
export class DurableObjectQueue implements WorkQueue {
  readonly #object: Pick<WorkQueueObject, 'enqueue' | 'take' | 'ack' | 'fail' | 'release' | 'size'>;
  readonly #take: TakeOptions;
  readonly #pollMs: number;
  readonly #clock: Clock;
  readonly #held = new Set<string>();
  #closed = false;

  constructor(namespace: DurableObjectNamespace<WorkQueueObject>, options: DurableObjectQueueOptions = {}) {
    const { name = 'default', concurrency = 10, leaseMs, pollMs = 1_000, clock = systemClock } = options;
    // The stub's own type is as deep as the values that it carries.
    this.#object = namespace.getByName(name) as unknown as WorkQueueObject;
    this.#take = { concurrency, leaseMs };
    this.#pollMs = pollMs;
    this.#clock = clock;
  }

  async enqueue(item: WorkItem): Promise<void> {
    assertWorkItem(item);
    if (this.#closed) throw new WorkerError('ERR_QUEUE_CLOSED', 'the queue is closed');
    await this.#object.enqueue([JSON.parse(JSON.stringify(item))]);
  }

  async lease({ waitMs = 0, signal }: { waitMs?: number; signal?: AbortSignal } = {}): Promise<Lease | undefined> {
    const deadline = this.#clock.now() + waitMs;
    while (!this.#closed && !signal?.aborted) {
      const leases = await this.#object.take(this.#take);
      const [lease] = leases ?? [];
      if (lease) {
        this.#held.add(lease.id);
        if (!this.#closed) return lease;
        await this.#giveBack();
      }
      const left = leases ? deadline - this.#clock.now() : this.#pollMs;
      if (left <= 0) return undefined;
      await this.#clock.sleep(Math.min(this.#pollMs, left), signal).catch(() => undefined);
    }
    return undefined;
  }

  async ack({ id }: Lease): Promise<void> {
    this.#held.delete(id);
    await this.#object.ack([id]);
  }

  async fail({ id }: Lease, error: unknown): Promise<void> {
    this.#held.delete(id);
    await this.#object.fail([id], messageOf(error));
  }

  size(): Promise<QueueSize> {
    return this.#object.size();
  }

  /** Gives back what is still leased. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#giveBack();
  }

  async #giveBack(): Promise<void> {
    const held = [...this.#held];
    this.#held.clear();
    if (held.length > 0) await this.#object.release(held);
  }
}
