import { encodeOrigin, hex, type OrderedStore, prefixRange, type RowChange, unhex } from '@_all_docs/cache';
import type { Change } from './changes-page.js';
import { assertSequence } from './sequence.js';

/** Names in one transaction: large enough to be fast, small enough that a store that blocks does so for a few milliseconds. */
const BATCH = 2_000;
const DIGITS = 16;

export interface ChangeLogOptions {
  ordered: OrderedStore;
  origin: string;
}

/** What the log holds, kept beside its rows in the same transactions. */
interface Summary {
  /** Raised by each transaction: who has read before another one committed reads again. */
  turn: number;
  names: number;
  deleted: number;
  /** The highest sequence held; -1 when nothing is. */
  head: number;
  /** When rows were last forgotten; `undefined` when none ever were. */
  clearedAt?: number | undefined;
}

/** What is known of a name from the feed. */
export interface Announced {
  /** The latest change; `undefined` when the feed said nothing of the name since the list that rows were cleared for. */
  change: Change | undefined;
  /** Epoch milliseconds at which rows were last cleared; `undefined` when none ever were. */
  clearedAt: number | undefined;
}

const NOTHING: Summary = { turn: 0, names: 0, deleted: 0, head: -1 };

/**
 * What the feed said: one row per name, at its latest sequence, found by name and by sequence. Several processes may
 * write one log; what they apply ends the same in any order.
 *
 * Sequences compare within one epoch only: after an epoch change `clear()` it wholly.
 */
export class ChangeLog {
  readonly #store: OrderedStore;
  readonly #names: string;
  readonly #feed: string;
  readonly #summaryKey: string;

  constructor({ ordered, origin }: ChangeLogOptions) {
    const encoded = encodeOrigin(origin);
    this.#store = ordered;
    this.#names = `v1:change:${encoded}:`;
    this.#feed = `v1:feed:${encoded}:`;
    this.#summaryKey = `v1:change-log:${encoded}`;
  }

  /**
   * Takes changes in, in transactions of bounded size; idempotent. Gives those that were news, each name once, at its
   * latest, in no order; a sequence at or below the one that is held for the name changes nothing.
   * `ERR_BAD_SEQUENCE`, `ERR_BAD_KEY` (a name that UTF-8 cannot carry): then nothing is applied.
   */
  async apply(changes: readonly Change[]): Promise<Change[]> {
    const latest = new Map<string, Change>();
    for (const change of changes) {
      const key = hex(change.name);
      const other = latest.get(key);
      if (assertSequence(change.seq) > (other?.seq ?? -1)) latest.set(key, change);
    }
    // In the order of the keys: a store that keeps rows in pages then writes each page once.
    const all = [...latest].sort(([a], [b]) => (a < b ? -1 : 1));
    const news: Change[] = [];
    for (let i = 0; i < all.length; i += BATCH) news.push(...(await this.#applyBatch(all.slice(i, i + BATCH))));
    return news;
  }

  /** The latest change of a name; `undefined` when the feed said nothing of it (or it was cleared). */
  async get(name: string): Promise<Change | undefined> {
    const text = await this.#store.get(this.#names + hex(name));
    return text === undefined ? undefined : { name, ...readRow(text) };
  }

  /** The latest change of a name, and when the log last forgot rows: what changed before that it may not know. Two reads. */
  async announced(name: string): Promise<Announced> {
    // In this order: whoever looks once more after his work finds a clearing that came between the two.
    const { clearedAt } = readSummary(await this.#store.get(this.#summaryKey));
    return { change: await this.get(name), clearedAt };
  }

  /** At most `limit` changes with a sequence above `since`, in the order of their sequences. */
  async after(since: number, limit = Number.POSITIVE_INFINITY): Promise<Change[]> {
    const changes: Change[] = [];
    const start = this.#feedKey(assertSequence(since) + 1);
    const { end } = prefixRange(this.#feed);
    for await (const [key, text] of this.#store.list({ start, end, limit })) changes.push(this.#readFeed(key, text));
    return changes;
  }

  /** The changes of the names in `[startKey, endKey)`, in the order of the names' bytes. */
  async *byName({ startKey, endKey }: { startKey: string | null; endKey: string | null }): AsyncIterable<Change> {
    const start = this.#names + hex(startKey);
    const end = endKey === null ? prefixRange(this.#names).end : this.#names + hex(endKey);
    for await (const [key, text] of this.#store.list({ start, end })) {
      yield { name: unhex(key.slice(this.#names.length)) as string, ...readRow(text) };
    }
  }

  /** The highest sequence held; `undefined` when nothing is. One read. */
  async head(): Promise<number | undefined> {
    const { head } = readSummary(await this.#store.get(this.#summaryKey));
    return head === -1 ? undefined : head;
  }

  /** How many names are held, and how many of these are deleted. One read. */
  async count(): Promise<{ names: number; deleted: number }> {
    const { names, deleted } = readSummary(await this.#store.get(this.#summaryKey));
    return { names, deleted };
  }

  /**
   * Forgets rows up to a sequence (a listing that began at it has them), or all of them; in transactions of bounded size.
   * `at` is now, in epoch milliseconds: told to those who ask for what is {@link announced}, from the first transaction on.
   */
  async clear({ at, upTo = Number.MAX_SAFE_INTEGER }: { at: number; upTo?: number | undefined }): Promise<void> {
    const end =
      upTo === Number.MAX_SAFE_INTEGER ? prefixRange(this.#feed).end : this.#feedKey(assertSequence(upTo) + 1);
    for (;;) {
      const said = await this.#store.get(this.#summaryKey);
      const summary = readSummary(said);
      const rows: RowChange[] = [];
      for await (const [key, text] of this.#store.list({ start: this.#feed, end, limit: BATCH })) {
        const name = key.slice(this.#feed.length + DIGITS + 1);
        rows.push({ key, value: undefined }, { key: this.#names + name, value: undefined });
        summary.names -= 1;
        if (text.startsWith('-')) summary.deleted -= 1;
      }
      if (rows.length === 0 && summary.clearedAt === at) return;
      summary.clearedAt = at;
      // The lowest rows go first: the head stays until all are gone.
      if (summary.names === 0) summary.head = -1;
      await this.#commit(rows, summary, said);
    }
  }

  /** `batch` is by the hex of the names. */
  async #applyBatch(batch: readonly [string, Change][]): Promise<Change[]> {
    for (;;) {
      const said = await this.#store.get(this.#summaryKey);
      const summary = readSummary(said);
      const held = await Promise.all(batch.map(([name]) => this.#store.get(this.#names + name)));
      const news: Change[] = [];
      const rows: RowChange[] = [];
      for (const [i, [name, change]] of batch.entries()) {
        const text = held[i];
        const old = text === undefined ? undefined : readRow(text);
        if (old && old.seq >= change.seq) continue;
        if (old) rows.push({ key: `${this.#feedKey(old.seq)}:${name}`, value: undefined });
        const state = `${change.deleted ? '-' : '+'}${change.rev ?? ''}`;
        rows.push({ key: this.#names + name, value: `${change.seq}${state}` });
        rows.push({ key: `${this.#feedKey(change.seq)}:${name}`, value: state });
        summary.names += old ? 0 : 1;
        summary.deleted += Number(change.deleted) - Number(old?.deleted ?? false);
        summary.head = Math.max(summary.head, change.seq);
        news.push(change);
      }
      if (news.length === 0 || (await this.#commit(rows, summary, said))) return news;
    }
  }

  /** `false` when somebody else has committed since `said` was read. */
  #commit(rows: RowChange[], { turn, ...summary }: Summary, said: string | undefined): Promise<boolean> {
    const value = JSON.stringify({ turn: turn + 1, ...summary } satisfies Summary);
    return this.#store.commit([...rows, { key: this.#summaryKey, value }], [{ key: this.#summaryKey, value: said }]);
  }

  /** What the feed rows of a sequence begin with. The name follows, so that no origin can make two rows one. */
  #feedKey(seq: number): string {
    return this.#feed + String(seq).padStart(DIGITS, '0');
  }

  #readFeed(key: string, text: string): Change {
    const at = this.#feed.length;
    const seq = Number(key.slice(at, at + DIGITS));
    return { name: unhex(key.slice(at + DIGITS + 1)) as string, ...readRow(`${seq}${text}`) };
  }
}

/** `{seq}{+ or -}{rev}`: minus is deleted; an empty rev is none. */
function readRow(text: string): Omit<Change, 'name'> {
  const at = text.search(/[+-]/);
  return { seq: Number(text.slice(0, at)), rev: text.slice(at + 1) || undefined, deleted: text[at] === '-' };
}

function readSummary(text: string | undefined): Summary {
  return text === undefined ? { ...NOTHING } : (JSON.parse(text) as Summary);
}
