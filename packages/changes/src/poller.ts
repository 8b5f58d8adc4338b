import type { Clock } from '@_all_docs/http';
import { type AlarmKind, judge, UNSUSPICIOUS, type Watch } from './alarm.js';
import type { ChangesClient } from './changes-client.js';
import type { ChangesPage } from './changes-page.js';
import type { Cursor } from './cursor.js';

export interface PollerOptions {
  client: ChangesClient;
  clock: Clock;
  limit: number;
  quietMs: number;
  signal: AbortSignal | undefined;
  /** Whether an error is the origin's: then a poll goes on without the root document. */
  isOrigins(error: unknown): boolean;
}

/** What one poll brought. */
export interface Polled {
  page: ChangesPage;
  /** The cursor, its place unmoved, with what was learnt beside it. */
  cursor: Cursor;
  /** Where its place may move. */
  next: number;
  trouble: { kind: AlarmKind; message: string } | undefined;
  /** There is more, and it can be asked for now. */
  more: boolean;
  atHead: boolean;
  /** Why the root document could not be read. */
  rootError: unknown;
}

/** How old the origin's `update_seq` may become while pages bring something. */
const ROOT_MS = 30_000;

/** Asks for one page at a time, for the root document where that is due, and judges both together. */
export class Poller {
  readonly #options: PollerOptions;
  #originSeq: number | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #watch: Watch = UNSUSPICIOUS;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** The origin's `update_seq`, as last read. */
  get originSeq(): number | undefined {
    return this.#originSeq;
  }

  /** After a mend nothing that was seen before says anything. */
  forget(): void {
    this.#originSeq = undefined;
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#watch = UNSUSPICIOUS;
  }

  async poll(held: Cursor): Promise<Polled> {
    const { client, clock, limit, quietMs, signal } = this.#options;
    const { cursor: since, highest } = held;
    const isFirst = this.#originSeq === undefined;
    const first = isFirst ? await this.#readRoot(held) : { cursor: held, error: undefined };
    const before = this.#originSeq;
    const page = await client.page(since, { limit, signal });

    const moved = page.lastRow !== undefined;
    const full = page.rows >= limit;
    const doubtful = !moved || this.#watch.low || (isFirst && before !== undefined && before < highest);
    const due = doubtful || (!full && clock.now() - this.#readAt >= ROOT_MS);
    // Read after the page, so that what it says is no older; once it failed, that is for the next poll.
    const second = due && first.error === undefined ? await this.#readRoot(first.cursor) : first;
    const after = due && second.error === undefined ? this.#originSeq : undefined;

    const movedAt = moved ? clock.now() : second.cursor.movedAt;
    const quietFor = clock.now() - movedAt;
    const judged = judge({ since, page, before, after, highest, quietFor, quietMs }, this.#watch);
    this.#watch = judged.watch;
    const { next, trouble } = judged;
    const behind = this.#originSeq === undefined || next < this.#originSeq;
    return {
      page,
      cursor: { ...second.cursor, movedAt, highest: Math.max(highest, next, this.#originSeq ?? 0) },
      next,
      trouble,
      more: next > since && (full || (this.#originSeq !== undefined && behind)),
      atHead: !full && !behind && !trouble && !judged.watch.low && second.error === undefined,
      rootError: second.error,
    };
  }

  async #readRoot(cursor: Cursor): Promise<{ cursor: Cursor; error?: unknown }> {
    const { client, clock, signal, isOrigins } = this.#options;
    try {
      const { docCount, updateSeq } = await client.info({ signal });
      const moved = cursor.originSeq !== undefined && updateSeq !== cursor.originSeq;
      this.#originSeq = updateSeq;
      this.#readAt = clock.now();
      return { cursor: { ...cursor, docCount, originSeq: updateSeq, movedAt: moved ? clock.now() : cursor.movedAt } };
    } catch (error) {
      if (!isOrigins(error)) throw error;
      return { cursor, error };
    }
  }
}
