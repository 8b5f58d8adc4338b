import type { Logger } from '@_all_docs/worker';
import type { NewsSince } from './feed.js';

/** How long an isolate relies on what it was told. */
const READ_MS = 3_000;

/** What the feed said lately, as one isolate knows it: at most a few seconds late, by one request to the object that follows. */
export class RecentChanges {
  readonly #since: (seq: number) => Promise<NewsSince>;
  readonly #now: () => number;
  readonly #logger: Logger | undefined;
  #rows: NewsSince['rows'] = [];
  #at = new Map<string, number>();
  #floor = 0;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(since: (seq: number) => Promise<NewsSince>, now: () => number, logger?: Logger) {
    this.#since = since;
    this.#now = now;
    this.#logger = logger;
  }

  async isRemoved(name: string, storedAt: number): Promise<boolean> {
    if (this.#now() - this.#readAt >= READ_MS) await this.#read();
    return storedAt < this.#floor || storedAt <= (this.#at.get(name) ?? -1);
  }

  /** Each request that finds it old asks by itself: none waits for another one's answer. */
  async #read(): Promise<void> {
    const asked = this.#now();
    try {
      const { floor, rows, oldest } = await this.#since(this.#rows.at(-1)?.[0] ?? -1);
      const known = this.#rows.at(-1)?.[0] ?? -1;
      const kept = this.#rows.filter(([seq]) => seq >= oldest);
      const news = rows.filter(([seq]) => seq > known);
      if (news.length > 0 || kept.length < this.#rows.length || floor > this.#floor) {
        this.#rows = [...kept, ...news];
        this.#at = new Map(this.#rows.flatMap(([, at, names]) => names.map((name) => [name, at])));
        this.#floor = Math.max(floor, this.#floor);
      }
      this.#readAt = Math.max(asked, this.#readAt);
    } catch (error) {
      // Who cannot be asked follows nothing either: what is known is as new as it gets.
      this.#readAt = asked;
      this.#logger?.error?.('what the feed said lately cannot be read', { error: String(error) });
    }
  }
}
