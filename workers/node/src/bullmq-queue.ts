import type { Clock } from '@_all_docs/http';
import {
  assertWorkItem,
  type Lease,
  type Logger,
  messageOf,
  QUEUE_ATTEMPTS,
  QUEUE_BACKOFF_MS,
  type QueueSize,
  WorkerError,
  type WorkItem,
  type WorkQueue,
} from '@_all_docs/worker';
import { randomUUID } from 'node:crypto';
import { type ConnectionOptions, type Job, PRIORITY_LIMIT, Queue, QueueKeys, UnrecoverableError, Worker } from 'bullmq';
import { systemClock } from './clock.js';

export const BULLMQ_QUEUE_NAME = 'all-docs-work';

export interface BullMQQueueOptions {
  /** Connection options, or an ioredis instance; an instance stays open when the queue is closed. */
  connection: ConnectionOptions;
  /** What all keys in Redis begin with; `bull`, as BullMQ has it, unless told. */
  prefix?: string | undefined;
  /** Items leased at once by this object; 10 unless told. */
  concurrency?: number | undefined;
  /** How long an item stays with a process that died before another one may have it; 30,000 ms unless told. */
  lockMs?: number | undefined;
  logger?: Logger | undefined;
  clock?: Clock | undefined;
}

interface Held {
  job: Job<WorkItem>;
  token: string;
}

/** Pause between two looks at an empty queue: a blocking look could be neither aborted nor shared. */
const LOOK_MS = 100;
/** BullMQ's codes for a job that somebody else has by now, or that is gone. */
const LOST = new Set<unknown>([-1, -2, -3, -6]);
/** Names of the queue's own keys, which lie beside those of its jobs. */
const OWN_KEYS = new Set(Object.keys(new QueueKeys().getKeys('')));

/** Work for many processes, kept in Redis by BullMQ. An item that is leased counts as waiting: its id cannot be enqueued again until it is done or dead. */
export class BullMQQueue implements WorkQueue {
  readonly #options: BullMQQueueOptions;
  readonly #clock: Clock;
  readonly #concurrency: number;
  readonly #lockMs: number;
  readonly #queue: Queue<WorkItem>;
  readonly #held = new Map<string, Held>();
  readonly #takes = new Set<Promise<Lease | undefined>>();
  readonly #closing = new AbortController();
  #freed: (() => void)[] = [];
  #consumer: Consumer | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: BullMQQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#concurrency = options.concurrency ?? 10;
    this.#lockMs = options.lockMs ?? 30_000;
    this.#queue = new Queue(BULLMQ_QUEUE_NAME, connectionOf(options, options.connection));
    this.#queue.on('error', (error) => this.#warn('the queue is in trouble', error));
  }

  async enqueue(item: WorkItem): Promise<void> {
    assertWorkItem(item);
    if (this.#closed) throw new WorkerError('ERR_QUEUE_CLOSED', 'the queue is closed');
    const jobId = encodeJobId(item.id);
    // The id of a dead item stays taken; whoever enqueues it again wants it tried again.
    const dead = await this.#queue.getJob(jobId);
    if (dead && (await dead.isFailed())) await dead.remove();
    await this.#queue.add(item.type, item, {
      jobId,
      priority: Math.min(item.priority, PRIORITY_LIMIT),
      attempts: Math.max(1, QUEUE_ATTEMPTS - item.attempts),
      backoff: { type: 'exponential', delay: QUEUE_BACKOFF_MS * 2 ** item.attempts },
      removeOnComplete: true,
      stackTraceLimit: 0,
    });
  }

  async lease({ waitMs = 0, signal }: { waitMs?: number; signal?: AbortSignal } = {}): Promise<Lease | undefined> {
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    const deadline = this.#clock.now() + waitMs;
    while (!stop.aborted) {
      if (this.#held.size + this.#takes.size >= this.#concurrency) {
        await this.#slot(stop);
        continue;
      }
      const lease = await this.#tracked(this.#take());
      // What came while the queue was being closed was given back.
      if (lease) return this.#closed ? undefined : lease;
      const left = deadline - this.#clock.now();
      if (left <= 0) return undefined;
      await this.#clock.sleep(Math.min(LOOK_MS, left), stop).catch(() => undefined);
    }
    return undefined;
  }

  async ack(lease: Lease): Promise<void> {
    await this.#release(lease, ({ job, token }) => job.moveToCompleted(null, token, false));
  }

  async fail(lease: Lease, error: unknown): Promise<void> {
    await this.#release(lease, ({ job, token }) => job.moveToFailed(new Error(messageOf(error)), token, false));
  }

  async size(): Promise<QueueSize> {
    const counts = await this.#queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'failed');
    const { waiting = 0, prioritized = 0, delayed = 0, active = 0, failed = 0 } = counts;
    return { waiting: waiting + prioritized + delayed, leased: active, dead: failed };
  }

  /** Gives back what is still leased, then closes the connections that this object opened. */
  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  async #shut(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#takes);
    await Promise.allSettled([...this.#held.values()].map(({ job, token }) => job.moveToWait(token)));
    this.#held.clear();
    await this.#consumer?.close();
    await this.#queue.close();
  }

  async #take(): Promise<Lease | undefined> {
    this.#consumer ??= new Consumer(this.#options, this.#lockMs, this.#held, (message, error) =>
      this.#warn(message, error),
    );
    for (;;) {
      const token = randomUUID();
      const job = await this.#consumer.next(token);
      if (!job) return undefined;
      if (job.deferredFailure) {
        // Too many processes died over this one: it is dead without another try.
        await job.moveToFailed(new UnrecoverableError(job.deferredFailure), token, false);
        continue;
      }
      this.#held.set(token, { job, token });
      return { id: token, item: { ...job.data, attempts: job.data.attempts + job.attemptsMade } };
    }
  }

  /** Keeps count of fetches under way, so that their items do not exceed the concurrency and are not lost on close. */
  async #tracked(take: Promise<Lease | undefined>): Promise<Lease | undefined> {
    this.#takes.add(take);
    try {
      const lease = await take;
      return lease;
    } finally {
      this.#takes.delete(take);
      this.#wake();
    }
  }

  /** A lease that is not held, or was lost to another process meanwhile, is left alone: the item is somebody else's. */
  async #release(lease: Lease, end: (held: Held) => Promise<unknown>): Promise<void> {
    const held = this.#held.get(lease.id);
    if (!held) return;
    this.#held.delete(lease.id);
    this.#wake();
    try {
      await end(held);
    } catch (error) {
      if (!LOST.has((error as { code?: unknown }).code)) throw error;
      this.#warn(`the lease on ${lease.item.id} was lost before its end`, error);
    }
  }

  /** Ends when a place may be free, or on abort. */
  #slot(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        stop.removeEventListener('abort', end);
        resolve();
      };
      stop.addEventListener('abort', end, { once: true });
      this.#freed.push(end);
    });
  }

  #wake(): void {
    const waiting = this.#freed;
    this.#freed = [];
    for (const wake of waiting) wake();
  }

  #warn(message: string, error: unknown): void {
    this.#options.logger?.warn?.(message, { error: messageOf(error) });
  }
}

export function createBullMQQueue(options: BullMQQueueOptions): BullMQQueue {
  return new BullMQQueue(options);
}

/** The fetching side: made at the first lease, so that those who only enqueue open one connection. */
class Consumer {
  readonly #worker: Worker<WorkItem>;
  readonly #own: Duplicate | undefined;
  readonly #renewal: NodeJS.Timeout;

  constructor(
    options: BullMQQueueOptions,
    lockMs: number,
    held: ReadonlyMap<string, Held>,
    warn: (message: string, error: unknown) => void,
  ) {
    // BullMQ refuses to fetch over an instance that gives up after some retries, which is ioredis's default.
    this.#own = isInstance(options.connection)
      ? options.connection.duplicate({ maxRetriesPerRequest: null })
      : undefined;
    const connection = this.#own ?? { ...options.connection, maxRetriesPerRequest: null };
    this.#worker = new Worker(BULLMQ_QUEUE_NAME, null, {
      ...connectionOf(options, connection as ConnectionOptions),
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: QUEUE_ATTEMPTS - 1,
    });
    this.#worker.on('error', (error) => warn('the queue is in trouble', error));
    this.#renewal = setInterval(
      () => void this.#renew([...held.values()], lockMs).catch((error) => warn('leases could not be renewed', error)),
      lockMs / 2,
    );
    this.#renewal.unref();
    void this.#worker.startStalledCheckTimer();
  }

  next(token: string): Promise<Job<WorkItem> | undefined> {
    return this.#worker.getNextJob(token, { block: false });
  }

  async close(): Promise<void> {
    clearInterval(this.#renewal);
    await this.#worker.close();
    this.#own?.disconnect();
  }

  async #renew(held: readonly Held[], lockMs: number): Promise<void> {
    if (held.length === 0) return;
    await this.#worker.extendJobLocks(
      held.map(({ job }) => job.id as string),
      held.map(({ token }) => token),
      lockMs,
    );
  }
}

/** The part of an ioredis instance that is used here. */
interface Duplicate {
  duplicate(options: { maxRetriesPerRequest: null }): Duplicate;
  disconnect(): void;
}

function isInstance(connection: unknown): connection is Duplicate {
  return typeof (connection as Duplicate).duplicate === 'function';
}

function connectionOf(
  { prefix }: BullMQQueueOptions,
  connection: ConnectionOptions,
): { connection: ConnectionOptions; prefix?: string } {
  return prefix === undefined ? { connection } : { connection, prefix };
}

/**
 * An item's id as BullMQ takes it: without `:`, not a whole number, not the name of one of the queue's own keys.
 * Injective; most ids stay as they are.
 */
export function encodeJobId(id: string): string {
  const text = id.replace(/[%:]|\p{Surrogate}/gu, (character) =>
    character === '%' ? '%25' : character === ':' ? '%3A' : `%u${hexOf(character)}`,
  );
  return OWN_KEYS.has(text) || String(Number.parseInt(text, 10)) === text ? `%${hexOf(text)}${text.slice(1)}` : text;
}

function hexOf(text: string): string {
  return text.charCodeAt(0).toString(16).toUpperCase();
}
