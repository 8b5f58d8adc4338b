import { compareBytes, createPackumentPrefix, createStorageDriver } from '@_all_docs/cache';
import type { PartitionLease } from '@_all_docs/checkpoint';
import type { KeyRange } from '@_all_docs/partition';
import { codeOf, messageOf } from '../errors.js';
import { type Context, isItemError, LEASE_MS } from './context.js';

/** A name to fetch, with the revision that the listing gave for it. */
export interface Wanted {
  name: string;
  rev?: string | undefined;
}

/** A partition under way: it is marked when all its names are settled. */
interface Portion {
  lease: PartitionLease;
  /** Nothing of it is held: no name needs to be looked up before it is asked for. */
  fresh: boolean;
  open: number;
  names: number;
  failed: number;
}

interface Task extends Wanted {
  portion: Portion;
}

const OTHERS_POLL_MS = 500;

/** Fetches the documents of all recorded partitions, a cursor's step ahead of the requests. */
export async function fetchPhase(
  context: Context,
  ranges: readonly KeyRange[],
  namesOf: (range: KeyRange) => Promise<readonly Wanted[]>,
  total: number,
): Promise<void> {
  const { fetching, meter } = context;
  await fetching.recordPartitions(ranges);
  await fetching.retryFailed();
  const { stats } = await fetching.getProgress();
  meter.begin('fetch', total, stats.rows);
  await new Fetcher(context, namesOf).run();
  meter.flush();
}

class Fetcher {
  readonly #context: Context;
  readonly #namesOf: (range: KeyRange) => Promise<readonly Wanted[]>;
  #fatal: unknown;

  constructor(context: Context, namesOf: (range: KeyRange) => Promise<readonly Wanted[]>) {
    this.#context = context;
    this.#namesOf = namesOf;
  }

  /** As many runners as the concurrency allows pull from one cursor: nothing waits in memory but what they hold. */
  async run(): Promise<void> {
    const cursor = this.#cursor();
    await Promise.all(Array.from({ length: this.#context.concurrency }, () => this.#runner(cursor)));
    if (this.#fatal !== undefined) throw this.#fatal;
    this.#context.signal.throwIfAborted();
  }

  /** Never rejects: what one name meets is its outcome, what all would meet stops the work. */
  async #runner(cursor: AsyncGenerator<Task>): Promise<void> {
    try {
      for (;;) {
        const { value: task, done } = await cursor.next();
        if (done || this.#stopped) return;
        await this.#fetch(task);
        await this.#close(task.portion);
      }
    } catch (error) {
      this.#fatal ??= error;
    }
  }

  get #stopped(): boolean {
    return this.#fatal !== undefined || this.#context.signal.aborted;
  }

  async *#cursor(): AsyncGenerator<Task> {
    const { fetching, owner, env, signal } = this.#context;
    while (!this.#stopped) {
      const lease = await fetching.claim(owner.id, env.clock.now(), LEASE_MS, owner.isAlive);
      if (!lease) {
        if (!(await fetching.isLeasedByOthers(owner.id, env.clock.now(), owner.isAlive))) return;
        await env.clock.sleep(OTHERS_POLL_MS, signal).catch(() => undefined);
        continue;
      }
      const wanted = await this.#namesOf(lease.record);
      // One more than the names, given back below: a portion must not be finished while it is still being handed out.
      const fresh = !(await holdsAny(this.#context, wanted));
      const portion: Portion = { lease, fresh, open: wanted.length + 1, names: wanted.length, failed: 0 };
      for (const { name, rev } of wanted) yield { name, rev, portion };
      await this.#close(portion);
    }
  }

  async #fetch({ name, rev, portion }: Task): Promise<void> {
    const { packuments, run, meter, tally, outcomes, env, signal } = this.#context;
    const known = portion.fresh ? undefined : await packuments.heldMetadata(name);
    if (known && (known.storedAt >= run.startedAt || (rev !== undefined && known.rev === rev))) {
      tally.held += 1;
      meter.add(1);
      return;
    }
    try {
      const result = await packuments.fetch(name, { known, signal });
      tally[result.outcome] += 1;
      if (result.outcome === 'absent') await outcomes.absent(name, result.status, env.clock.now());
      else await outcomes.fetched(name);
    } catch (error) {
      if (!isItemError(error)) throw error;
      await this.#fail(name, error, portion);
    }
    meter.add(1);
  }

  async #fail(name: string, error: unknown, portion: Portion): Promise<void> {
    const { outcomes, meter, tally, report, env } = this.#context;
    portion.failed += 1;
    tally.failed += 1;
    meter.errors += 1;
    report({ type: 'error', code: codeOf(error) ?? '', message: messageOf(error), name });
    await outcomes.failed(name, error, env.clock.now());
  }

  async #close(portion: Portion): Promise<void> {
    const { fetching, owner, env } = this.#context;
    portion.open -= 1;
    const { record } = portion.lease;
    if (portion.open === 0) {
      if (portion.failed > 0)
        await fetching.markFailed(record.index, `${portion.failed} of ${portion.names} packages failed`);
      else await fetching.markComplete(record.index, { rows: portion.names });
      return;
    }
    const now = env.clock.now();
    if (portion.lease.until - now > LEASE_MS / 2) return;
    portion.lease.until = now + LEASE_MS;
    // Somebody took it over, as leases allow: both do the same work, and either may mark it.
    await fetching.renew({ ...portion.lease, owner: owner.id }, now, LEASE_MS).catch(() => undefined);
  }
}

/** Whether the store holds the document of any of these names, which are in order. Keys of one registry sort as the names do. */
async function holdsAny({ env, packuments }: Context, wanted: readonly Wanted[]): Promise<boolean> {
  const first = wanted[0]?.name;
  const last = wanted.at(-1)?.name;
  if (first === undefined || last === undefined) return false;
  if (await packuments.heldMetadata(first)) return true;
  const prefix = createPackumentPrefix(packuments.form === 'full' ? 'packument' : 'abbreviated', env.registry);
  const storage = await createStorageDriver(env);
  for await (const key of storage.list(prefix, { after: packuments.keyOf(first), limit: 1 })) {
    return key <= packuments.keyOf(last);
  }
  return false;
}

/** The names of a sorted list that lie in a range, found by halving. */
export function namesIn(names: readonly string[], { startKey, endKey }: KeyRange): Wanted[] {
  const from = startKey === null ? 0 : lowerBound(names, startKey);
  const to = endKey === null ? names.length : lowerBound(names, endKey);
  return names.slice(from, to).map((name) => ({ name }));
}

function lowerBound(names: readonly string[], key: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(names[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
