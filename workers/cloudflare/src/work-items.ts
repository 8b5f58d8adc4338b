import {
  assertWorkItem,
  type Lease,
  messageOf,
  QUEUE_ATTEMPTS,
  QUEUE_BACKOFF_MS,
  type QueueSize,
  WorkerError,
  type WorkItem,
  type WorkResult,
} from '@_all_docs/worker/queues';

/** As Cloudflare Queues have it, so that either queue takes what the other one takes. */
const MAX_ITEM_BYTES = 128_000;
/** Items worked on by one alarm: each has its share of the 1,000 requests that an invocation may make. */
const ALARM_ITEMS = 10;
const LEASE_MS = 5 * 60_000;

/** `state` is 0 for what waits (until it is `due`), 1 for what is leased (until then), 2 for what is dead. */
const TABLE = `CREATE TABLE IF NOT EXISTS items (seq INTEGER PRIMARY KEY, id, item, priority, attempts, state, due, lease, error);
CREATE INDEX IF NOT EXISTS items_id ON items (id, state);
CREATE INDEX IF NOT EXISTS items_next ON items (state, priority, seq, due)`;

type Row = { seq: number; id: string; item: string; priority: number; attempts: number; error: string | null };

export interface TakeOptions {
  /** Leases given at once; 1 unless told. */
  limit?: number | undefined;
  /** Leases held by all together; no limit unless told. */
  concurrency?: number | undefined;
  /** How long the items stay with who takes them, in milliseconds; 5 minutes unless told. */
  leaseMs?: number | undefined;
}

export interface WorkItemsOptions {
  clock: { now(): number };
  /** Does the work where nobody leases it, woken by alarms while items are due. */
  process?: ((item: WorkItem) => Promise<WorkResult>) | undefined;
}

/** What a `WorkQueueObject` does. An item is given at least once: a lease that ends by itself is a failed try. */
export class WorkItems {
  readonly #storage: DurableObjectStorage;
  readonly #options: WorkItemsOptions;

  constructor(storage: DurableObjectStorage, options: WorkItemsOptions) {
    this.#storage = storage;
    this.#options = options;
    storage.sql.exec(TABLE);
  }

  /** 202; 400 for what is no work item, 404 and 405 for any other request. */
  async fetch(request: Request): Promise<Response> {
    const isEnqueue = new URL(request.url).pathname === '/enqueue';
    if (!isEnqueue || request.method !== 'POST') return refusal(isEnqueue ? 405 : 404, 'there is POST /enqueue');
    try {
      const items = [await request.json()].flat() as WorkItem[];
      await this.enqueue(items);
      return Response.json({ enqueued: items.length }, { status: 202 });
    } catch (error) {
      if (error instanceof WorkerError) return refusal(400, error.message);
      if (error instanceof SyntaxError) return refusal(400, `the body is not JSON: ${error.message}`);
      throw error;
    }
  }

  /** All of them or, with `ERR_BAD_WORK_ITEM`, none. An item whose id waits already is the same item. */
  async enqueue(items: WorkItem[]): Promise<void> {
    const rows = items.map((item) => {
      assertWorkItem(item);
      const { type, id, payload, priority, attempts } = item;
      const text = JSON.stringify({ type, id, payload });
      if (text.length <= MAX_ITEM_BYTES) return [keyOf(id), text, priority, attempts] as const;
      throw new WorkerError('ERR_BAD_WORK_ITEM', `a work item takes ${MAX_ITEM_BYTES} bytes of JSON at most`);
    });
    const now = this.#options.clock.now();
    this.#storage.transactionSync(() => {
      for (const [id, item, priority, attempts] of rows) {
        if (this.#waits(id)) continue;
        this.#rows('DELETE FROM items WHERE id = ? AND state = 2', id);
        this.#rows(
          'INSERT INTO items (id, item, priority, attempts, state, due) VALUES (?, ?, ?, ?, 0, ?)',
          ...[id, item, priority, attempts, now],
        );
      }
    });
    await this.#wakeWhenDue();
  }

  /** The most urgent items that are due; `undefined` while as many are leased as may be. */
  async take({
    limit = 1,
    concurrency = Infinity,
    leaseMs = LEASE_MS,
  }: TakeOptions = {}): Promise<Lease[] | undefined> {
    this.#expire();
    const free = concurrency - this.#number('count(*)', 'state = 1');
    if (free <= 0) return undefined;
    const now = this.#options.clock.now();
    const token = crypto.randomUUID();
    const rows = this.#rows(
      'UPDATE items SET state = 1, due = ?, lease = ? WHERE seq IN (SELECT seq FROM items WHERE state = 0 AND due <= ? ORDER BY priority, seq LIMIT ?) RETURNING *',
      ...[now + leaseMs, token, now, Math.min(limit, free)],
    );
    await this.#wakeWhenDue();
    rows.sort((a, b) => a.priority - b.priority || a.seq - b.seq);
    return rows.map((row) => ({ id: `${row.seq}:${token}`, item: itemOf(row) }));
  }

  /** These are done. What is not leased any more is left alone, here and below. */
  async ack(leases: string[]): Promise<void> {
    for (const { seq } of this.#leased(leases)) this.#rows('DELETE FROM items WHERE seq = ?', seq);
  }

  /** These are tried again later, or dead after the last try. */
  async fail(leases: string[], error: string): Promise<void> {
    for (const row of this.#leased(leases)) this.#retry(row, error);
    await this.#wakeWhenDue();
  }

  /** These are given back untried. */
  async release(leases: string[]): Promise<void> {
    for (const { seq } of this.#leased(leases)) {
      this.#rows('UPDATE items SET state = 0, due = 0 WHERE seq = ?', seq);
    }
    await this.#wakeWhenDue();
  }

  async size(): Promise<QueueSize> {
    this.#expire();
    const [waiting, leased, dead] = [0, 1, 2].map((state) => this.#number('count(*)', `state = ${state}`));
    return { waiting, leased, dead } as QueueSize;
  }

  /** Items that were given up, oldest first, with what went wrong last. Enqueue one again to have it tried anew. */
  async dead(limit = 100): Promise<{ item: WorkItem; error: string }[]> {
    const rows = this.#rows('SELECT * FROM items WHERE state = 2 ORDER BY seq LIMIT ?', limit);
    return rows.map((row) => ({ item: itemOf(row), error: row.error ?? '' }));
  }

  async alarm(): Promise<void> {
    // Taking sets the next alarm, for the case that this one does not live to its end.
    const leases = (await this.take({ limit: ALARM_ITEMS })) ?? [];
    await Promise.all(
      leases.map(async ({ id, item }) => {
        const result = await this.#options
          .process?.(item)
          .catch((error) => ({ success: false, error: messageOf(error) }) as const);
        if (result?.success === false) await this.fail([id], result.error);
        else await this.ack([id]);
      }),
    );
    await this.#wakeWhenDue();
  }

  #leased(leases: string[]): Row[] {
    return leases.flatMap((lease) => {
      const [seq = '', token = ''] = lease.split(':');
      return this.#rows('SELECT * FROM items WHERE seq = ? AND lease = ? AND state = 1', seq, token);
    });
  }

  #expire(): void {
    const rows = this.#rows('SELECT * FROM items WHERE state = 1 AND due <= ?', this.#options.clock.now());
    for (const row of rows) this.#retry(row, 'the lease ended before the work');
  }

  #retry({ seq, id, attempts }: Row, error: string): void {
    const isDead = attempts + 1 >= QUEUE_ATTEMPTS;
    if (!isDead && this.#waits(id)) {
      // Enqueued again meanwhile: that one is the same item.
      this.#rows('DELETE FROM items WHERE seq = ?', seq);
      return;
    }
    this.#rows(
      'UPDATE items SET state = ?, due = ?, attempts = ?, error = ? WHERE seq = ?',
      ...[isDead ? 2 : 0, this.#options.clock.now() + QUEUE_BACKOFF_MS * 2 ** attempts, attempts + 1, error, seq],
    );
  }

  #waits(id: string): boolean {
    return this.#rows('SELECT * FROM items WHERE id = ? AND state = 0', id).length > 0;
  }

  /** Sets the alarm for the next item that is due, where the object does the work itself. */
  async #wakeWhenDue(): Promise<void> {
    if (!this.#options.process) return;
    const storage = this.#storage;
    const due = this.#number<number | null>('min(due)', 'state < 2');
    if (due === null) await storage.deleteAlarm();
    else if (due !== (await storage.getAlarm())) await storage.setAlarm(due);
  }

  /** What an aggregate says of some items; `null` where `min` has none. */
  #number<Value extends number | null = number>(what: string, where: string): Value {
    return this.#storage.sql.exec<{ n: Value }>(`SELECT ${what} n FROM items WHERE ${where}`).one().n;
  }

  #rows(sql: string, ...values: (string | number)[]): Row[] {
    return this.#storage.sql.exec<Row>(sql, ...values).toArray();
  }
}

function itemOf({ item, priority, attempts }: Row): WorkItem {
  return { ...JSON.parse(item), priority, attempts };
}

/** Ids as JSON has them: any text at all, in characters that SQLite keeps. */
function keyOf(id: string): string {
  return JSON.stringify(id);
}

function refusal(status: number, error: string): Response {
  return Response.json({ error }, { status, headers: { allow: 'POST' } });
}
