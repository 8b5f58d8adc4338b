import { type Cache, compareBytes, hex, type OrderedStore, prefixRange } from '@_all_docs/cache';
import { assertRange, compareRanges, hashRanges, type KeyRange } from '@_all_docs/partition';
import { CheckpointError } from './errors.js';
import { orderedStoreOf } from './ordered-store-of.js';

const PREFIX = 'v1:checkpoint:';

/** A recorded partition and how far it is. */
export interface PartitionRecord extends KeyRange {
  /** Place in the recorded list; partitions split off later get the places behind it. */
  index: number;
  state: 'pending' | 'complete' | 'failed';
  rows: number;
  error?: string | undefined;
}

export interface PartitionProgress {
  /** Of all recorded partitions, two decimals; 0 when none is recorded. */
  percentComplete: number;
  stats: { total: number; completed: number; failed: number; pending: number; rows: number };
}

/** A partition that one worker has taken for a while. `renew` it before `until`, or somebody else may take it. */
export interface PartitionLease {
  record: PartitionRecord;
  owner: string;
  until: number;
}

interface Row extends PartitionRecord {
  lease?: { owner: string; until: number } | undefined;
}

interface Meta {
  hash: string;
  count: number;
}

/** What the keys of all rows of a set begin with; of all sets when none is named. */
export function checkpointPrefix(setId?: string): string {
  return setId === undefined ? PREFIX : `${PREFIX}${hex(setId)}:`;
}

/**
 * Progress over a set of partitions, in the ordered store beside the cache. A mark stands for a range within a pivot
 * set (by its hash): recording another list of pivots under the same set renumbers nothing.
 * Each mark is one small transaction, whatever the number of partitions.
 */
export class PartitionCheckpoint {
  readonly setId: string;
  readonly #store: OrderedStore;
  #meta: Meta | undefined;
  /** Where {@link claim} begins to look: everything before was seen complete. */
  #cursor: string | undefined;

  /** `ERR_NO_INDEX` when the cache's driver has no ordered store. */
  constructor(cache: Cache, setId: string) {
    this.setId = setId;
    this.#store = orderedStoreOf(cache);
  }

  /** Records the list and makes it the set's current one. A list that was recorded before keeps its progress, whatever was recorded in between. */
  async recordPartitions(partitions: Iterable<KeyRange>): Promise<void> {
    const ranges = [...partitions].map(({ startKey, endKey }) => ({ startKey, endKey }));
    const hash = hashRanges(ranges);
    const current = { key: this.#currentKey, value: hash };
    let known = await this.#store.get(this.#metaKey(hash));
    const rows = ranges.map((range, index): Row => ({ index, ...range, state: 'pending', rows: 0 }));
    const fresh = [
      { key: this.#metaKey(hash), value: JSON.stringify({ hash, count: ranges.length } satisfies Meta) },
      ...rows.map((row) => ({ key: this.#rowKey(hash, row.index), value: JSON.stringify(row) })),
    ];
    // Only the first of several processes writes the rows: the others must not undo what it has done since.
    const first =
      known === undefined &&
      (await this.#store.commit([current, ...fresh], [{ key: this.#metaKey(hash), value: undefined }]));
    if (!first) await this.#store.commit([current]);
    known = await this.#store.get(this.#metaKey(hash));
    this.#meta = JSON.parse(known as string) as Meta;
    this.#cursor = undefined;
  }

  /** `ERR_BAD_INDEX` for a place that is not in the list. Idempotent. */
  markComplete(index: number, { rows = 0 }: { rows?: number } = {}): Promise<void> {
    return this.#update(index, (row) => ({ ...row, state: 'complete', rows, error: undefined, lease: undefined }));
  }

  /** The work goes on without this partition; the next run takes it up again. */
  markFailed(index: number, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    return this.#update(index, (row) =>
      row.state === 'complete' ? row : { ...row, state: 'failed', error: message, lease: undefined },
    );
  }

  /**
   * Completes a partition that proved too big as `[startKey, at)`, and records the rest, `[at, endKey)`, as one more
   * partition: one transaction, so that no crash opens a gap. Gives the new partition's record; its lease is the one of
   * before, until `until` where that is given. `ERR_LEASE_LOST` when somebody who took it over has come so far already.
   */
  async split(index: number, at: string, { rows, until }: { rows: number; until?: number }): Promise<PartitionRecord> {
    for (;;) {
      const meta = await this.#requireMeta(true);
      const key = this.#rowKey(meta.hash, index);
      const text = await this.#requireRow(key, index);
      const row = JSON.parse(text) as Row;
      if (row.state === 'complete' && row.endKey !== null && compareBytes(at, row.endKey) >= 0) throw this.#lost(index);
      assertRange({ startKey: row.startKey, endKey: at });
      assertRange({ startKey: at, endKey: row.endKey });
      const rest: Row = {
        index: meta.count,
        startKey: at,
        endKey: row.endKey,
        state: 'pending',
        rows: 0,
        lease: row.lease && { ...row.lease, until: until ?? row.lease.until },
      };
      const first: Row = { ...row, endKey: at, state: 'complete', rows, error: undefined, lease: undefined };
      const next: Meta = { ...meta, count: meta.count + 1 };
      const done = await this.#store.commit(
        [
          { key: this.#metaKey(meta.hash), value: JSON.stringify(next) },
          { key, value: JSON.stringify(first) },
          { key: this.#rowKey(meta.hash, rest.index), value: JSON.stringify(rest) },
        ],
        [
          { key: this.#metaKey(meta.hash), value: JSON.stringify(meta) },
          { key, value: text },
        ],
      );
      if (done) {
        this.#meta = next;
        return toRecord(rest);
      }
    }
  }

  /**
   * Takes the next partition that is neither complete, nor failed, nor leased by a live owner; `undefined` when there is none.
   * `isAlive` tells whether a lease's owner still works: a dead one's partitions are taken up at once.
   */
  async claim(
    owner: string,
    now: number,
    ttlMs: number,
    isAlive: (owner: string) => boolean | Promise<boolean> = () => true,
  ): Promise<PartitionLease | undefined> {
    const meta = await this.#requireMeta(true);
    let settled = true;
    for await (const [key, text] of this.#store.list({
      ...prefixRange(this.#rowPrefix(meta.hash)),
      after: this.#cursor,
    })) {
      const row = JSON.parse(text) as Row;
      if (row.state === 'complete') {
        if (settled) this.#cursor = key;
        continue;
      }
      settled = false;
      if (row.state === 'failed') continue;
      if (row.lease && row.lease.until > now && (await isAlive(row.lease.owner))) continue;
      const lease = { owner, until: now + ttlMs };
      const taken = await this.#store.commit(
        [{ key, value: JSON.stringify({ ...row, lease }) }],
        [{ key, value: text }],
      );
      if (taken) return { record: toRecord(row), ...lease };
    }
    return undefined;
  }

  /** Whether a live owner other than `owner` holds a pending partition. */
  async isLeasedByOthers(
    owner: string,
    now: number,
    isAlive: (owner: string) => boolean | Promise<boolean> = () => true,
  ): Promise<boolean> {
    const meta = await this.#requireMeta(true);
    for await (const [, text] of this.#store.list({
      ...prefixRange(this.#rowPrefix(meta.hash)),
      after: this.#cursor,
    })) {
      const { state, lease } = JSON.parse(text) as Row;
      if (state === 'pending' && lease && lease.owner !== owner && lease.until > now && (await isAlive(lease.owner)))
        return true;
    }
    return false;
  }

  /** Keeps a lease for longer. `ERR_LEASE_LOST` when somebody else has taken the partition meanwhile. */
  async renew({ record, owner }: PartitionLease, now: number, ttlMs: number): Promise<void> {
    await this.#update(record.index, (row) => {
      if (row.lease?.owner !== owner) throw this.#lost(record.index);
      return { ...row, lease: { owner, until: now + ttlMs } };
    });
  }

  /** Failed partitions are pending again. */
  async retryFailed(): Promise<void> {
    for await (const record of this.partitions()) {
      if (record.state === 'failed')
        await this.#update(record.index, (row) => ({ ...row, state: 'pending', error: undefined }));
    }
    this.#cursor = undefined;
  }

  async getProgress(): Promise<PartitionProgress> {
    const stats = { total: 0, completed: 0, failed: 0, pending: 0, rows: 0 };
    for await (const { state, rows } of this.partitions()) {
      stats.total += 1;
      stats.rows += rows;
      stats[state === 'complete' ? 'completed' : state] += 1;
    }
    const percent = stats.total === 0 ? 0 : Math.round((10_000 * stats.completed) / stats.total) / 100;
    // 100 is said only when nothing is left.
    const percentComplete = stats.completed < stats.total ? Math.min(percent, 99.99) : percent;
    return { percentComplete, stats };
  }

  /** The recorded partitions in the order they were recorded; none when nothing is recorded. */
  async *partitions(): AsyncIterable<PartitionRecord> {
    const meta = await this.#readMeta();
    if (!meta) return;
    for await (const [, text] of this.#store.list(prefixRange(this.#rowPrefix(meta.hash)))) {
      yield toRecord(JSON.parse(text) as Row);
    }
  }

  /** The recorded partitions in the order of their ranges. */
  async inOrder(): Promise<PartitionRecord[]> {
    const records: PartitionRecord[] = [];
    for await (const record of this.partitions()) records.push(record);
    return records.sort(compareRanges);
  }

  /** Forgets the set. */
  async clear(): Promise<void> {
    const changes = [];
    for await (const [key] of this.#store.list(prefixRange(this.#prefix))) changes.push({ key, value: undefined });
    await this.#store.commit(changes);
    this.#meta = undefined;
    this.#cursor = undefined;
  }

  get #prefix(): string {
    return checkpointPrefix(this.setId);
  }

  get #currentKey(): string {
    return `${this.#prefix}current`;
  }

  #metaKey(hash: string): string {
    return `${this.#prefix}meta:${hash}`;
  }

  #rowPrefix(hash: string): string {
    return `${this.#prefix}${hash}:`;
  }

  #rowKey(hash: string, index: number): string {
    return `${this.#rowPrefix(hash)}${String(index).padStart(9, '0')}`;
  }

  #lost(index: number): CheckpointError {
    return new CheckpointError(
      'ERR_LEASE_LOST',
      `partition ${index} of ${this.setId} was taken over by another worker`,
    );
  }

  async #update(index: number, change: (row: Row) => Row): Promise<void> {
    const meta = await this.#requireMeta();
    const key = this.#rowKey(meta.hash, index);
    for (;;) {
      const text = await this.#requireRow(key, index);
      const value = JSON.stringify(change(JSON.parse(text) as Row));
      if (await this.#store.commit([{ key, value }], [{ key, value: text }])) return;
    }
  }

  async #requireRow(key: string, index: number): Promise<string> {
    const text = await this.#store.get(key);
    if (text === undefined) {
      throw new CheckpointError('ERR_BAD_INDEX', `the set ${this.setId} has no partition ${index}`);
    }
    return text;
  }

  async #requireMeta(fresh = false): Promise<Meta> {
    const meta = fresh || !this.#meta ? await this.#readMeta() : this.#meta;
    if (!meta) {
      throw new CheckpointError(
        'ERR_NO_CHECKPOINT',
        `nothing is recorded for the set ${this.setId}; call recordPartitions first`,
      );
    }
    if (meta.hash !== this.#meta?.hash) this.#cursor = undefined;
    this.#meta = meta;
    return meta;
  }

  async #readMeta(): Promise<Meta | undefined> {
    const hash = await this.#store.get(this.#currentKey);
    const text = hash === undefined ? undefined : await this.#store.get(this.#metaKey(hash));
    return text === undefined ? undefined : (JSON.parse(text) as Meta);
  }
}

function toRecord({ lease: _, ...record }: Row): PartitionRecord {
  return record;
}
