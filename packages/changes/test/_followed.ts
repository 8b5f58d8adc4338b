import { MemoryOrderedStore, type OrderedStore } from '@_all_docs/cache';
import { type Alarm, ChangesFollower, type ChangesFollowerOptions, type FollowedPage } from '@_all_docs/changes';
import { aborted, type Clock, type Transport } from '@_all_docs/http';
import { FeedOrigin, ORIGIN } from './_feed-origin.ts';

/** Time that passes only while somebody sleeps. */
class SleepingClock implements Clock {
  readonly sleeps: number[] = [];
  at = 1_750_000_000_000;
  /** Called before each sleep ends. */
  during: () => void = () => undefined;

  now = () => this.at;

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    this.at += ms;
    this.during();
    if (signal?.aborted) throw aborted(signal);
  }
}

type More = Omit<Partial<ChangesFollowerOptions>, 'env'> & { transport?: Transport };

/** A follower over an origin in memory, and all that a test wants to see of it. */
export class Followed {
  readonly origin = new FeedOrigin();
  readonly clock = new SleepingClock();
  readonly alarms: Alarm[] = [];
  readonly mended: Alarm[] = [];
  ordered: OrderedStore = new MemoryOrderedStore();

  /** A new process. It mends by reading where the origin is, unless told otherwise. */
  start({ transport = this.origin.transport, ...more }: More = {}): ChangesFollower {
    return new ChangesFollower({
      env: { origin: ORIGIN, transport, ordered: this.ordered, clock: this.clock, random: () => 0.5 },
      onAlarm: (alarm) => this.alarms.push(alarm),
      mend: async (alarm) => {
        this.mended.push(alarm);
        return this.origin.head;
      },
      ...more,
    });
  }

  /** Follows to the head, in a process of its own; gives the pages. */
  async once(more: More = {}): Promise<FollowedPage[]> {
    return take(this.start({ once: true, ...more }));
  }

  /** The cursor as it is stored. */
  async stored(
    name = 'follow',
  ): Promise<{ cursor: number; epoch: number; highest: number; alarm?: Alarm } | undefined> {
    const key = `v1:cursor:${encodeURIComponent(ORIGIN)}:${Buffer.from(name).toString('hex')}`;
    const text = await this.ordered.get(key);
    return text === undefined ? undefined : JSON.parse(text);
  }
}

/** A follower's origin with five changes, `a` to `e`, past the sequence `from`. */
export function withFiveChanges(): { at: Followed; from: number } {
  const at = new Followed();
  const from = at.origin.head;
  for (const name of ['a', 'b', 'c', 'd', 'e']) at.origin.publish(name);
  return { at, from };
}

/** The first `count` pages, all when not told; then the loop is left. */
export async function take(follower: AsyncIterable<FollowedPage>, count = 1000): Promise<FollowedPage[]> {
  const pages: FollowedPage[] = [];
  for await (const page of follower) {
    pages.push(page);
    if (pages.length === count) break;
  }
  return pages;
}

export const namesOf = (pages: readonly FollowedPage[]) =>
  pages.flatMap(({ changes }) => changes.map(({ name }) => name));
export const codeOf = async (work: Promise<unknown>) =>
  ((await work.catch((error: unknown) => error)) as { code?: string } | undefined)?.code;
