import type { Clock } from '@_all_docs/http';
import PQueue from 'p-queue';
import { WorkerError } from './errors.js';
import {
  type Lease,
  QUEUE_ATTEMPTS,
  QUEUE_BACKOFF_MS,
  type QueueSize,
  type WorkItem,
  type WorkQueue,
} from './interfaces.js';
import { assertWorkItem } from './work-item.js';

export interface QueueOptions {
  /** Items leased at once; 10 unless told. */
  concurrency?: number;
  /** Length of the interval that `intervalCap` counts in, in milliseconds; 1,000 unless told. */
  interval?: number;
  /** Leases an interval; 20 unless told. */
  intervalCap?: number;
}

/** The reference {@link WorkQueue}: items in memory, p-queue keeps the pace of leases. Gone with the process. */
export class MemoryQueue implements WorkQueue {
  readonly #pace: PQueue;
  readonly #clock: Clock;
  readonly #waiting: WorkItem[] = [];
  readonly #takers: (() => void)[] = [];
  readonly #leased = new Map<string, { item: WorkItem; release: () => void }>();
  readonly #dead: WorkItem[] = [];
  /** Ids of items that wait for another try. */
  readonly #delayed = new Set<string>();
  #leases = 0;
  #closed = false;

  constructor(clock: Clock, { concurrency = 10, interval = 1_000, intervalCap = 20 }: QueueOptions = {}) {
    this.#clock = clock;
    this.#pace = new PQueue({ concurrency, interval, intervalCap });
  }

  async enqueue(item: WorkItem): Promise<void> {
    assertWorkItem(item);
    if (this.#closed) throw new WorkerError('ERR_QUEUE_CLOSED', 'the queue is closed');
    const known = this.#delayed.has(item.id) || this.#waiting.some(({ id }) => id === item.id);
    // As JSON, like any other queue would keep it.
    if (!known) this.#insert(JSON.parse(JSON.stringify(item)));
  }

  async lease({ waitMs = 0, signal }: { waitMs?: number; signal?: AbortSignal } = {}): Promise<Lease | undefined> {
    if (this.#waiting.length === 0 && waitMs > 0 && !this.#closed) await this.#arrival(waitMs, signal);
    if (this.#waiting.length === 0 || this.#closed || signal?.aborted) return undefined;
    return new Promise((resolve) => {
      const leave = () => resolve(undefined);
      signal?.addEventListener('abort', leave, { once: true });
      // The task is a slot of the pace: it begins when a lease may be given, and ends with ack or fail.
      // Close clears the pace: then there is no item to give.
      this.#pace
        .add(() => {
          signal?.removeEventListener('abort', leave);
          return signal?.aborted ? undefined : this.#grant(resolve);
        })
        .catch(leave);
    });
  }

  async ack(lease: Lease): Promise<void> {
    this.#release(lease);
  }

  async fail(lease: Lease, _error: unknown): Promise<void> {
    const held = this.#release(lease);
    if (!held) return;
    const item = { ...held, attempts: held.attempts + 1 };
    if (item.attempts >= QUEUE_ATTEMPTS) {
      this.#dead.push(item);
      return;
    }
    // Enqueued again meanwhile: that one is the same item.
    if (this.#delayed.has(item.id) || this.#waiting.some(({ id }) => id === item.id)) return;
    this.#delayed.add(item.id);
    void this.#clock.sleep(QUEUE_BACKOFF_MS * 2 ** (item.attempts - 1)).then(() => {
      this.#delayed.delete(item.id);
      if (!this.#closed) this.#insert(item);
    });
  }

  async size(): Promise<QueueSize> {
    return { waiting: this.#waiting.length + this.#delayed.size, leased: this.#leased.size, dead: this.#dead.length };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#pace.clear();
    for (const wake of this.#takers.splice(0)) wake();
    for (const { release } of this.#leased.values()) release();
    this.#leased.clear();
  }

  /** Behind all items that are as urgent or more so. */
  #insert(item: WorkItem): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as WorkItem).priority > item.priority) at -= 1;
    this.#waiting.splice(at, 0, item);
    this.#takers.shift()?.();
  }

  #grant(give: (lease: Lease | undefined) => void): Promise<void> | undefined {
    const item = this.#waiting.shift();
    if (!item) {
      give(undefined);
      return undefined;
    }
    this.#leases += 1;
    const lease = { id: `${item.id}#${this.#leases}`, item: structuredClone(item) };
    return new Promise((release) => {
      this.#leased.set(lease.id, { item, release });
      give(lease);
    });
  }

  /** The item that was leased; `undefined` when it is not any more. */
  #release(lease: Lease): WorkItem | undefined {
    const held = this.#leased.get(lease.id);
    this.#leased.delete(lease.id);
    held?.release();
    return held?.item;
  }

  /** Ends when an item arrives, the time is over or the caller leaves. */
  async #arrival(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    const timer = new AbortController();
    const stop = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal;
    let wake = () => {};
    const arrived = new Promise<void>((resolve) => {
      wake = resolve;
      this.#takers.push(wake);
    });
    await Promise.race([arrived, this.#clock.sleep(waitMs, stop).catch(() => undefined)]);
    timer.abort();
    const at = this.#takers.indexOf(wake);
    if (at !== -1) this.#takers.splice(at, 1);
  }
}
