import {
  CacheError,
  MemoryOrderedStore,
  type OrderedStore,
  type RowChange,
  type RowExpectation,
  type RowRange,
} from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { type Bucket, readObject } from './bucket.js';

export interface BucketOrderedStoreOptions {
  bucket: Bucket;
  clock: Clock;
  /** How old what is read may be, in milliseconds; a second unless told. A commit is never judged by old rows. */
  staleMs?: number | undefined;
  /** Entries of the log after which all rows are written down anew; 500 unless told. */
  compactEvery?: number | undefined;
}

/** A commit on its way. */
interface Pending {
  changes: readonly RowChange[];
  expected: readonly RowExpectation[];
  settle(done: boolean): void;
  fail(error: unknown): void;
}

/** What an entry of the log says; `id` is drawn by its writer. */
interface LogEntry {
  id: string;
  changes: [key: string, value: string | null][];
}

const LOG = 'rows/log/';
const SNAPSHOTS = 'rows/snapshot/';
const DIGITS = 12;
/** How long entries stay that a snapshot holds: until then whoever was asleep can still read on. */
const KEEP_MS = 3600_000;
/** Whoever was asleep for longer starts again from the newest snapshot. */
const MAX_SLEEP_MS = KEEP_MS / 2;
const zip = promisify(gzip);
const unzip = promisify(gunzip);

/**
 * Rows in a bucket, for several instances at once: a log with an object for each group of commits, written where nothing
 * is yet. Whoever writes entry n + 1 has read n, so all agree on one order, and an expectation is judged by the rows as
 * they are. Commits that arrive together share an entry. Every so often all rows are written down, and old entries go.
 * All rows are held in memory: checkpoints, leases and references, not bodies.
 */
export class BucketOrderedStore implements OrderedStore {
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #staleMs: number;
  readonly #compactEvery: number;
  #rows = new MemoryOrderedStore();
  /** The last entry that is in the rows, and when it was seen to be the last; nothing before the first read. */
  #at: { entry: number; seenAt: number } | undefined;
  #snapshotAt = 0;
  #reading: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #pending: Pending[] = [];

  constructor({ bucket, clock, staleMs = 1_000, compactEvery = 500 }: BucketOrderedStoreOptions) {
    this.#bucket = bucket;
    this.#clock = clock;
    this.#staleMs = staleMs;
    this.#compactEvery = compactEvery;
  }

  async get(key: string): Promise<string | undefined> {
    await this.#catchUp(this.#staleMs);
    return this.#rows.get(key);
  }

  async *list(range?: RowRange): AsyncIterable<[string, string]> {
    await this.#catchUp(this.#staleMs);
    yield* this.#rows.list(range);
  }

  commit(changes: readonly RowChange[], expected: readonly RowExpectation[] = []): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const copy = <Row extends RowChange>(rows: readonly Row[]) => rows.map((row) => ({ ...row }));
    if (changes.length === 0 && expected.length === 0) return Promise.resolve(true);
    this.#pending.push({ changes: copy(changes), expected: copy(expected), settle: resolve, fail: reject });
    this.#writing ??= this.#write();
    return promise;
  }

  /** Reads what others have committed by now. */
  refresh(): Promise<void> {
    return this.#catchUp(0);
  }

  /** Waits for commits under way. */
  async close(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Writes whatever is pending, group by group. Never rejects: each commit hears of its own trouble. */
  async #write(): Promise<void> {
    // What is asked for in the same turn goes together.
    await Promise.resolve();
    for (let group = this.#pending.splice(0); group.length > 0; group = this.#pending.splice(0)) {
      try {
        const verdicts = await this.#append(group);
        for (const [i, { settle }] of group.entries()) settle(verdicts[i] as boolean);
        await this.#compact();
      } catch (error) {
        for (const { fail } of group) fail(error);
      }
    }
    // In the turn in which nothing was found pending: a commit that comes later begins anew.
    this.#writing = undefined;
  }

  async #append(group: readonly Pending[]): Promise<boolean[]> {
    const id = randomUUID();
    for (let isFresh = false; ; isFresh = true) {
      await this.#catchUp(isFresh ? 0 : MAX_SLEEP_MS);
      const { verdicts, changes } = await judge(this.#rows, group);
      // Who is refused has to be refused by the rows as they are now.
      if (!isFresh && (changes.size === 0 || verdicts.includes(false))) continue;
      if (changes.size === 0) return verdicts;
      const entry = (this.#at?.entry ?? 0) + 1;
      const said: LogEntry = { id, changes: Array.from(changes, ([key, value]) => [key, value ?? null]) };
      const body = await zip(JSON.stringify(said));
      const isWritten = (await this.#bucket.put(keyOf(LOG, entry), body, { only: 'absent' })) !== undefined;
      // The answer to a write that happened may have been lost: then the entry bears our name.
      if (!isWritten && (await this.#entry(entry))?.id !== id) continue;
      await apply(this.#rows, said);
      this.#at = { entry, seenAt: this.#clock.now() };
      return verdicts;
    }
  }

  /** Reads on in the log until nothing follows, unless that was done within so many milliseconds. */
  async #catchUp(withinMs: number): Promise<void> {
    if (this.#at && this.#clock.now() - this.#at.seenAt < withinMs) return;
    if (this.#reading) {
      // What is being read was asked for before now: whoever needs more asks once more.
      await this.#reading;
      if (withinMs > 0) return;
    }
    this.#reading = this.#readOn().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #readOn(): Promise<void> {
    if (!this.#at || this.#clock.now() - this.#at.seenAt > MAX_SLEEP_MS) await this.#restart();
    for (;;) {
      const seenAt = this.#clock.now();
      const next = (this.#at?.entry ?? 0) + 1;
      const said = await this.#entry(next);
      // A commit of our own may have been written meanwhile.
      if ((this.#at?.entry ?? 0) >= next) continue;
      if (said) await apply(this.#rows, said);
      this.#at = { entry: said ? next : next - 1, seenAt };
      if (!said) return;
    }
  }

  async #entry(number: number): Promise<LogEntry | undefined> {
    return this.#json<LogEntry>(keyOf(LOG, number));
  }

  /** All rows of the newest snapshot; none where there is no snapshot. */
  async #restart(): Promise<void> {
    let newest: string | undefined;
    for await (const { key } of this.#bucket.list(SNAPSHOTS)) newest = key;
    const rows = new MemoryOrderedStore();
    const said = newest === undefined ? undefined : await this.#json<[string, string][]>(newest);
    if (said) await rows.commit(said.map(([key, value]) => ({ key, value })));
    this.#rows = rows;
    const entry = newest === undefined ? 0 : Number(newest.slice(SNAPSHOTS.length));
    this.#snapshotAt = entry;
    this.#at = { entry, seenAt: this.#clock.now() };
  }

  /** Writes all rows down where that is due. Trouble with it costs the log's length, nothing else. */
  async #compact(): Promise<void> {
    const entry = this.#at?.entry ?? 0;
    if (entry - this.#snapshotAt < this.#compactEvery) return;
    const rows: [string, string][] = [];
    for await (const row of this.#rows.list()) rows.push(row);
    try {
      await this.#bucket.put(keyOf(SNAPSHOTS, entry), await zip(JSON.stringify(rows)), { only: 'absent' });
      this.#snapshotAt = entry;
      await this.#forget();
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
    }
  }

  /** Deletes entries and snapshots that nobody reads any more. */
  async #forget(): Promise<void> {
    const before = this.#clock.now() - KEEP_MS;
    const snapshots: string[] = [];
    for await (const { key, modifiedAt } of this.#bucket.list(SNAPSHOTS)) if (modifiedAt < before) snapshots.push(key);
    // The newest of the old ones is what an old reader stands on.
    const kept = snapshots.pop();
    if (kept === undefined) return;
    for (const key of snapshots) await this.#bucket.delete(key);
    const held = Number(kept.slice(SNAPSHOTS.length));
    for await (const { key, modifiedAt } of this.#bucket.list(LOG)) {
      if (Number(key.slice(LOG.length)) > held || modifiedAt >= before) return;
      await this.#bucket.delete(key);
    }
  }

  async #json<Value>(key: string): Promise<Value | undefined> {
    const object = await readObject(this.#bucket, key);
    if (!object) return undefined;
    try {
      return JSON.parse((await unzip(object.bytes)).toString()) as Value;
    } catch (cause) {
      throw new CacheError('ERR_CORRUPT', `${this.#bucket.url}${key} is not what was written there`, { cause });
    }
  }
}

/** Which of the commits hold, one after the other, and what those change together. */
async function judge(
  rows: MemoryOrderedStore,
  group: readonly Pending[],
): Promise<{ verdicts: boolean[]; changes: Map<string, string | undefined> }> {
  const changes = new Map<string, string | undefined>();
  const verdicts: boolean[] = [];
  for (const { changes: wanted, expected } of group) {
    let holds = true;
    for (const { key, value } of expected) {
      const held = changes.has(key) ? changes.get(key) : await rows.get(key);
      if (held !== value) holds = false;
    }
    if (holds) for (const { key, value } of wanted) changes.set(key, value);
    verdicts.push(holds);
  }
  return { verdicts, changes };
}

async function apply(rows: MemoryOrderedStore, { changes }: LogEntry): Promise<void> {
  await rows.commit(changes.map(([key, value]) => ({ key, value: value ?? undefined })));
}

function keyOf(folder: string, number: number): string {
  return folder + String(number).padStart(DIGITS, '0');
}
