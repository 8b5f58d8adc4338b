import { encodeOrigin, hex, type OrderedStore, prefixRange } from '@_all_docs/cache';
import { ChangeLog, ChangesClient } from '@_all_docs/changes';
import type { Clock, Transport } from '@_all_docs/http';
import { readListing } from '@_all_docs/origin/edge';

export interface FeedEnv {
  origin: string;
  transport: Transport;
  clock: Pick<Clock, 'now'>;
  ordered: OrderedStore;
}

/** A page of the feed, for those who show documents. */
export type News = [seq: number, at: number, names: string[]];

/** What an isolate must know: nothing stored before `floor` may be shown, nor what was stored of a name before its news. */
export interface NewsSince {
  floor: number;
  rows: News[];
  /** Rows below this one are settled. */
  oldest: number;
}

/** Where the follower is. */
export interface FeedState {
  /** Everything up to this sequence has had its effects. */
  cursor: number;
  /** The highest sequence that was ever seen. */
  highest: number;
  epoch: number;
  movedAt: number;
  originSeq?: number | undefined;
  docCount?: number | undefined;
  /** How often in a row the origin was below `highest`. */
  low?: number | undefined;
  floor?: number | undefined;
  at?: number | undefined;
  error?: string | undefined;
}

interface NewsRow {
  at: number;
  names: string[];
  settledAt?: number | undefined;
}

/** Names of one page: what came of each costs a request or two, and an invocation may make a thousand. */
const PAGE = 200;
/** Stores lag 60 s behind what is written, caches in front of the registry 300 s. */
const STORE_LAG_MS = 120_000;
const REGISTRY_LAG_MS = 360_000;

/**
 * The feed as it is followed at the edge: one page at a time, by whoever is woken. Effects first, cursor after: each
 * change comes at least once. What a page says is kept as news until its documents were settled and no copy lags behind.
 */
export class Feed {
  readonly #env: FeedEnv;
  readonly #client: ChangesClient;
  readonly #log: ChangeLog;
  readonly #cursor: string;
  readonly #news: string;

  constructor(env: FeedEnv) {
    const origin = encodeOrigin(env.origin);
    this.#env = env;
    this.#client = new ChangesClient({ env });
    this.#log = new ChangeLog({ ordered: env.ordered, origin: env.origin });
    this.#cursor = `v1:cursor:${origin}:${hex('follow')}`;
    this.#news = `v1:news:${origin}:`;
  }

  /** `undefined` where nobody has followed yet. */
  async state(): Promise<FeedState | undefined> {
    const text = await this.#env.ordered.get(this.#cursor);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** Takes in one page. `more` when another one waits; `news` is its sequence, where it brought something. Rejects with the origin's trouble, which is noted. */
  async step(): Promise<{ more: boolean; news?: News }> {
    const now = this.#env.clock.now();
    let state: FeedState | undefined;
    try {
      const { updateSeq, docCount } = await this.#client.info();
      const { error: _, ...held } = (await this.state()) ?? (await this.#begin(updateSeq));
      state = { ...held, originSeq: updateSeq, docCount, at: now };
      if (updateSeq < held.highest) return await this.#below(state, updateSeq);
      const { changes, lastSeq, rows } = await this.#client.page(held.cursor, { limit: PAGE });
      const next = changes.at(-1)?.seq ?? Math.max(held.cursor, rows === 0 ? Math.min(lastSeq, updateSeq) : lastSeq);
      await this.#log.apply(changes);
      const names = changes.map(({ name }) => name);
      if (names.length > 0) await this.#put(this.#newsKey(next), { at: this.#env.clock.now(), names });
      const movedAt = next > held.cursor ? now : held.movedAt;
      await this.#put(this.#cursor, { ...state, cursor: next, highest: Math.max(held.highest, next), movedAt, low: 0 });
      const more = next > held.cursor && next < updateSeq;
      return names.length > 0 ? { more, news: [next, now, names] } : { more };
    } catch (error) {
      state ??= await this.state();
      if (state) await this.#put(this.#cursor, { ...state, at: now, error: String(error) });
      throw error;
    }
  }

  /**
   * Goes on from a sequence where nobody has followed yet; also from one that lies behind, where `again` says that what
   * came since may not be in the log.
   */
  async beginAt(cursor: number, again: boolean): Promise<void> {
    const state = await this.state();
    if (state && !(again && state.cursor > cursor)) return;
    const { epoch = 0, highest = cursor } = state ?? {};
    await this.#put(this.#cursor, { epoch, highest, cursor, movedAt: this.#env.clock.now() });
  }

  /** News past a sequence. What is settled and old enough is forgotten on the way. */
  async since(seq: number): Promise<NewsSince> {
    const now = this.#env.clock.now();
    const rows: News[] = [];
    const gone: string[] = [];
    let oldest = Number.MAX_SAFE_INTEGER;
    for await (const [key, text] of this.#env.ordered.list(prefixRange(this.#news))) {
      const { at, names, settledAt = Number.POSITIVE_INFINITY } = JSON.parse(text) as NewsRow;
      const of = Number(key.slice(this.#news.length));
      if (now > settledAt + STORE_LAG_MS && now > at + REGISTRY_LAG_MS) gone.push(key);
      else {
        oldest = Math.min(oldest, of);
        if (of > seq) rows.push([of, at, names]);
      }
    }
    if (gone.length > 0) await this.#env.ordered.commit(gone.map((key) => ({ key, value: undefined })));
    return { floor: (await this.state())?.floor ?? 0, rows, oldest };
  }

  /** The documents of a page are in the store as the registry has them. */
  async settled(seq: number): Promise<void> {
    const text = await this.#env.ordered.get(this.#newsKey(seq));
    if (text !== undefined)
      await this.#put(this.#newsKey(seq), { ...JSON.parse(text), settledAt: this.#env.clock.now() });
  }

  /** News that nobody has settled within a while: their work was lost, or failed. */
  async unsettled(afterMs: number, most: number): Promise<News[]> {
    const found: News[] = [];
    for await (const [key, text] of this.#env.ordered.list(prefixRange(this.#news))) {
      const { at, names, settledAt } = JSON.parse(text) as NewsRow;
      if (settledAt === undefined && this.#env.clock.now() - at > afterMs)
        found.push([Number(key.slice(this.#news.length)), at, names]);
      if (found.length >= most) break;
    }
    return found;
  }

  /** From where a listing was pushed, else from the head: documents that are pulled from now on are not older. */
  async #begin(updateSeq: number): Promise<FeedState> {
    const listing = await readListing(this.#env.ordered, this.#env.origin);
    const cursor = listing?.updateSeq ?? updateSeq;
    return { cursor, highest: cursor, epoch: 0, movedAt: this.#env.clock.now() };
  }

  /**
   * The origin is below what it was: a copy that lags, where it is so once; sequences that began anew, where it is so
   * again. Then nothing that was stored before is shown before the registry was asked.
   */
  async #below(state: FeedState, updateSeq: number): Promise<{ more: boolean }> {
    const low = (state.low ?? 0) + 1;
    if (low < 2) {
      await this.#put(this.#cursor, { ...state, low });
      return { more: false };
    }
    const { epoch } = state;
    const now = this.#env.clock.now();
    await this.#log.clear({ at: now });
    await this.#put(this.#cursor, {
      ...state,
      cursor: updateSeq,
      highest: updateSeq,
      epoch: epoch + 1,
      low: 0,
      floor: now,
      movedAt: now,
    });
    return { more: false };
  }

  #newsKey(seq: number): string {
    return this.#news + String(seq).padStart(16, '0');
  }

  async #put(key: string, value: object): Promise<void> {
    await this.#env.ordered.commit([{ key, value: JSON.stringify(value) }]);
  }
}
