import type { PartitionCheckpoint, PartitionLease } from '@_all_docs/checkpoint';
import type { KeyRange } from '@_all_docs/partition';
import { type Context, LEASE_MS } from './context.js';

/** A name to fetch, with the revision that the listing gave for it. */
export interface Wanted {
  name: string;
  rev?: string | undefined;
}

/** The names of one partition, in order: an array, or what makes them one at a time. */
export interface WantedNames extends Iterable<Wanted> {
  readonly length: number;
  at(place: number): Wanted | undefined;
}

/** What is done with the names of all recorded partitions, and where it is marked. */
export interface WalkOptions<Task> {
  marks: PartitionCheckpoint;
  namesOf(range: KeyRange): Promise<WantedNames>;
  /** What is to be done for these names, made as it is asked for. */
  tasksOf(wanted: WantedNames): AsyncIterable<Task>;
  /** Does it: `false` when this task failed and the others may go on. Rejects with what stops them all. */
  work(task: Task): Promise<boolean>;
  /** What the tasks are about, in the plural. */
  noun: string;
}

/** A partition under way: it is marked when all its tasks are settled. */
interface Portion {
  lease: PartitionLease;
  names: number;
  tasks: number;
  open: number;
  failed: number;
}

const OTHERS_POLL_MS = 500;

/**
 * Does the tasks of all partitions that are recorded and not marked: as many at once as the concurrency allows, pulled from
 * one cursor, so that nothing waits in memory but what is under way. What stops the work rejects when all have ended.
 */
export async function walk<Task>(context: Context, options: WalkOptions<Task>): Promise<void> {
  await new Walk(context, options).run();
}

class Walk<Task> {
  readonly #context: Context;
  readonly #options: WalkOptions<Task>;
  #fatal: unknown;

  constructor(context: Context, options: WalkOptions<Task>) {
    this.#context = context;
    this.#options = options;
  }

  async run(): Promise<void> {
    const cursor = this.#cursor();
    await Promise.all(Array.from({ length: this.#context.concurrency }, () => this.#runner(cursor)));
    if (this.#fatal !== undefined) throw this.#fatal;
    this.#context.signal.throwIfAborted();
  }

  /** Never rejects: what one task meets is its outcome, what all would meet stops the work. */
  async #runner(cursor: AsyncGenerator<[Task, Portion]>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await cursor.next();
        if (done || this.#stopped) return;
        const [task, portion] = value;
        if (!(await this.#options.work(task))) portion.failed += 1;
        await this.#close(portion);
      }
    } catch (error) {
      this.#fatal ??= error;
    }
  }

  get #stopped(): boolean {
    return this.#fatal !== undefined || this.#context.signal.aborted;
  }

  async *#cursor(): AsyncGenerator<[Task, Portion]> {
    const { owner, env, signal } = this.#context;
    const { marks, namesOf, tasksOf } = this.#options;
    while (!this.#stopped) {
      const lease = await marks.claim(owner.id, env.clock.now(), LEASE_MS, owner.isAlive);
      if (!lease) {
        if (!(await marks.isLeasedByOthers(owner.id, env.clock.now(), owner.isAlive))) return;
        await env.clock.sleep(OTHERS_POLL_MS, signal).catch(() => undefined);
        continue;
      }
      const wanted = await namesOf(lease.record);
      // One is open from the start, closed below: a portion must not be finished while it is still being handed out.
      const portion: Portion = { lease, names: wanted.length, tasks: 0, open: 1, failed: 0 };
      for await (const task of tasksOf(wanted)) {
        portion.tasks += 1;
        portion.open += 1;
        yield [task, portion];
      }
      await this.#close(portion);
    }
  }

  async #close(portion: Portion): Promise<void> {
    const { owner, env } = this.#context;
    const { marks, noun } = this.#options;
    portion.open -= 1;
    const { record } = portion.lease;
    if (portion.open === 0) {
      if (portion.failed > 0)
        await marks.markFailed(record.index, `${portion.failed} of ${portion.tasks} ${noun} failed`);
      else await marks.markComplete(record.index, { rows: portion.names });
      return;
    }
    const now = env.clock.now();
    if (portion.lease.until - now > LEASE_MS / 2) return;
    portion.lease.until = now + LEASE_MS;
    // Somebody took it over, as leases allow: both do the same work, and either may mark it.
    await marks.renew({ ...portion.lease, owner: owner.id }, now, LEASE_MS).catch(() => undefined);
  }
}
