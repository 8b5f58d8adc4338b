import { encodeOrigin } from '@_all_docs/cache';
import { LISTING_PREFIX, type PublishedListing, readListing } from '@_all_docs/origin/edge';
import type { WorkItem } from '@_all_docs/worker/queues';
import { type Bindings, followed } from './bindings.js';
import { systemClock } from './clock.js';
import { createCore } from './core.js';
import { DurableObjectOrderedStore } from './durable-object-ordered-store.js';
import { Feed, type FeedState, type News } from './feed.js';
import { transport } from './transports.js';

/** How long one call follows; then the next alarm goes on. */
const FOLLOW_MS = 15_000;
/** Between polls of an idle feed. */
const IDLE_MS = 10_000;
/** After which work for news is asked for again. */
const LOST_MS = 15 * 60_000;
const MOST_LOST = 20;

/** What a `ReplicaObject` does. */
export class Replica {
  readonly rows: DurableObjectOrderedStore;
  readonly #storage: DurableObjectStorage;
  readonly #bindings: Bindings;
  #feed: Feed | undefined;
  #isFollowing = false;

  constructor(storage: DurableObjectStorage, bindings: Bindings) {
    this.rows = new DurableObjectOrderedStore(storage);
    this.#storage = storage;
    this.#bindings = bindings;
  }

  /** `ERR_NO_BINDING` where it is not said which registry is replicated. Rows need no such thing. */
  get feed(): Feed {
    const { rows: ordered } = this;
    this.#feed ??= new Feed({ origin: createCore(this.#bindings).origin, transport, clock: systemClock, ordered });
    return this.#feed;
  }

  /** Follows the feed up to its head, or for a while, and goes on by itself from then on. Trouble of the origin is in the state. */
  async follow(): Promise<FeedState | undefined> {
    if (!this.#isFollowing) {
      this.#isFollowing = true;
      try {
        await this.#follow();
      } finally {
        this.#isFollowing = false;
        await this.#storage.setAlarm(Date.now() + IDLE_MS);
      }
    }
    return this.feed.state();
  }

  async alarm(): Promise<void> {
    if (followed(this.#bindings)) await this.follow();
  }

  /** Shows a listing that was pushed, together with what was followed since up to `cursor`; the feed goes on from there. */
  async publish(listing: PublishedListing, cursor: number | undefined): Promise<void> {
    // A step that is under way would write its own cursor over this one.
    while (this.#isFollowing) await systemClock.sleep(100);
    this.#isFollowing = true;
    try {
      const { origin } = createCore(this.#bindings);
      const isFirst = (await readListing(this.rows, origin)) === undefined;
      if (cursor !== undefined) await this.feed.beginAt(cursor, isFirst);
      await this.rows.commit([{ key: LISTING_PREFIX + encodeOrigin(origin), value: JSON.stringify(listing) }]);
    } finally {
      this.#isFollowing = false;
    }
  }

  async #follow(): Promise<void> {
    const until = Date.now() + FOLLOW_MS;
    const { feed } = this;
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
    const { WORK, WORK_QUEUE } = this.#bindings;
    if (items.length === 0) return;
    if (WORK) await WORK.sendBatch(items.map((body) => ({ body, contentType: 'json' as const })));
    else await WORK_QUEUE?.getByName('default').enqueue(items);
  }
}
