import type { RowChange, RowExpectation, RowRange } from '@_all_docs/cache';
import type { WorkItem } from '@_all_docs/worker/queues';
import { DurableObject } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';
import { createCore } from './create-env.js';
import { DurableObjectOrderedStore } from './durable-object-ordered-store.js';
import { Feed, type FeedState, type News, type NewsSince } from './feed.js';

/** How long one call follows; then the next alarm goes on. */
const FOLLOW_MS = 15_000;
/** Between polls of an idle feed. */
const IDLE_MS = 10_000;
/** After which work for news is asked for again. */
const LOST_MS = 15 * 60_000;
const MOST_LOST = 20;

/** The replica's own rows, one place for all workers: cursors, checkpoints, leases. Spoken to through `ReplicaStore`. It follows the feed. */
export class ReplicaObject extends DurableObject<Bindings> {
  readonly rows = new DurableObjectOrderedStore(this.ctx.storage);
  #feed: Feed | undefined;
  #isFollowing = false;

  get(key: string): Promise<string | undefined> {
    return this.rows.get(key);
  }

  /** Up to 1,000 rows of a range. */
  page(range: RowRange): [key: string, value: string][] {
    return this.rows.page(range);
  }

  commit(changes: readonly RowChange[], expect?: readonly RowExpectation[]): Promise<boolean> {
    return this.rows.commit(changes, expect);
  }

  /** Follows the feed up to its head, or for a while, and goes on by itself from then on. Trouble of the origin is in the state. */
  async follow(): Promise<FeedState | undefined> {
    if (!this.#isFollowing) {
      this.#isFollowing = true;
      try {
        await this.#follow();
      } finally {
        this.#isFollowing = false;
        await this.ctx.storage.setAlarm(Date.now() + IDLE_MS);
      }
    }
    return this.state();
  }

  override async alarm(): Promise<void> {
    if (followed(this.env)) await this.follow();
  }

  state(): Promise<FeedState | undefined> {
    return this.#open().state();
  }

  news(since: number): Promise<NewsSince> {
    return this.#open().since(since);
  }

  settled(seq: number): Promise<void> {
    return this.#open().settled(seq);
  }

  async #follow(): Promise<void> {
    const until = Date.now() + FOLLOW_MS;
    const feed = this.#open();
    try {
      for (let more = true; more && Date.now() < until; ) {
        const step = await feed.step();
        if (step.news) await this.#send([step.news]);
        more = step.more;
      }
      await this.#send(await feed.unsettled(LOST_MS, MOST_LOST));
    } catch (error) {
      console.warn(JSON.stringify({ message: 'the feed could not be read', error: String(error) }));
    }
  }

  /** What the feed had news of is asked for again by who has the work. Lost work is found again: see {@link Feed.unsettled}. */
  async #send(news: readonly News[]): Promise<void> {
    const items = news.map(
      ([seq, , names]): WorkItem => ({
        type: 'packument',
        id: `news-${seq}`,
        payload: { names, news: seq },
        priority: 1,
        attempts: 0,
      }),
    );
    const { WORK, WORK_QUEUE } = this.env;
    if (items.length === 0) return;
    if (WORK) await WORK.sendBatch(items.map((body) => ({ body, contentType: 'json' as const })));
    else await WORK_QUEUE?.getByName('default').enqueue(items);
  }

  #open(): Feed {
    const { origin, transport, clock } = createCore(this.env);
    this.#feed ??= new Feed({ origin, transport, clock, ordered: this.rows });
    return this.#feed;
  }
}

/** Whether the feed is to be followed: unless `FOLLOW` says `off`. */
export function followed({ FOLLOW }: Pick<Bindings, 'FOLLOW'>): boolean {
  return FOLLOW !== 'off';
}
