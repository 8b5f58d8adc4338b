import type { OrderedStore } from '@_all_docs/cache';
import { type Alarm, type Change, ChangeLog } from '@_all_docs/changes';
import { type FeedOrigin, ORIGIN } from './_feed-origin.ts';

/** What a follower's effects are made to: a listing, and over it what the feed said since. */
export class Replica {
  readonly log: ChangeLog;
  readonly mended: Alarm[] = [];
  listed = new Map<string, string>();

  constructor(ordered: OrderedStore) {
    this.log = new ChangeLog({ ordered, origin: ORIGIN });
  }

  async apply(changes: readonly Change[]): Promise<void> {
    await this.log.apply(changes);
  }

  /** Lists again, as `mend` must. `pause` is where other things may happen meanwhile. */
  async relist(origin: FeedOrigin, alarm?: Alarm, pause: () => Promise<void> = async () => undefined): Promise<number> {
    const from = origin.head;
    await pause();
    this.listed = origin.listing();
    await pause();
    if (alarm) {
      this.mended.push(alarm);
      await this.log.clear({ at: 0, upTo: alarm.kind === 'epoch' ? undefined : from });
    }
    return from;
  }

  /** Live names and their revisions. */
  async state(): Promise<Map<string, string>> {
    const state = new Map(this.listed);
    for await (const { name, rev, deleted } of this.log.byName({ startKey: null, endKey: null })) {
      if (deleted) state.delete(name);
      else state.set(name, rev as string);
    }
    return state;
  }
}

export const sorted = (map: Map<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
