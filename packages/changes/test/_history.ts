import { MemoryOrderedStore, type OrderedStore } from '@_all_docs/cache';
import { ChangesFollower, type FollowedPage } from '@_all_docs/changes';
import { aborted, type Clock, type Transport } from '@_all_docs/http';
import { random } from '../../../test/fake-origin/hash.ts';
import { FeedOrigin, ORIGIN, type WirePage } from './_feed-origin.ts';
import { Replica } from './_replica.ts';

/** The process ends here: whatever it was waiting for. */
class Crash extends Error {}

export interface Outcome {
  expected: Map<string, string>;
  actual: Map<string, string>;
  resets: number;
  crashes: number;
  /** Kinds of the alarms that were raised or mended. */
  alarms: string[];
}

const NAMES = ['a', 'bb', 'ccc', '@s/p', 'B', '__proto__', 'é', '-', 'x.y', 'zz'];
const STEPS = 10;
/** How a run that should end may end without being at the head. */
const GIVEN_UP: readonly unknown[] = ['ERR_BAD_PAGE', 'ERR_NOT_MENDED'];

/**
 * One history: an origin to which things happen while a follower follows it, is killed, and starts again. All from one
 * seed. What is not detectable by design (see the README) does not happen: an origin that goes back stays back until
 * the follower had its two polls.
 */
export class History {
  readonly #random: () => number;
  readonly #origin = new FeedOrigin();
  readonly #store = new MemoryOrderedStore();
  readonly #replica: Replica;
  readonly #alarms: string[] = [];
  #steps = STEPS;
  /** Nothing happens before the follower has seen that the origin went back. */
  #held = false;
  #quiet = false;
  /** So many pages say that there is nothing, whatever there is. */
  #frozen = 0;
  /** A page was empty that should not have been. */
  #emptied = false;
  #resets = 0;
  #crashes = 0;
  #now = 1_750_000_000_000;
  #crashIn = Number.POSITIVE_INFINITY;
  #restore: { head: number; goBack: () => void } | undefined;
  /** The highest sequence that the follower has written down: who goes back behind it is found out. */
  #highest = 0;

  constructor(seed: number) {
    this.#random = random(seed);
    this.#replica = new Replica(this.#watched(this.#store));
  }

  async run(): Promise<Outcome> {
    for (let i = 0; i < 6; i++) this.#origin.publish(this.#name());
    const from = await this.#replica.relist(this.#origin);
    this.#origin.bend = (page, { since, limit }) => this.#bend(page, since, limit);
    this.#origin.cut = (body) =>
      !this.#quiet && this.#chance(0.08) ? body.slice(0, body.length * this.#random()) : body;
    for (let runs = 0; this.#steps > 0 || runs === 0; runs++) {
      if (runs > 60) throw new Error('the history does not end');
      this.#crashIn = this.#chance(0.7) ? this.#below(45) : Number.POSITIVE_INFINITY;
      await this.#follow(from);
      this.#happen();
    }
    // The last run is left in peace, and must come to the end.
    this.#quiet = true;
    this.#crashIn = Number.POSITIVE_INFINITY;
    await this.#follow(from);
    return {
      expected: this.#origin.listing(),
      actual: await this.#replica.state(),
      resets: this.#resets,
      crashes: this.#crashes,
      alarms: [...this.#alarms, ...this.#replica.mended.map(({ kind }) => kind)],
    };
  }

  /** One process, until it is at the head, or dies. */
  async #follow(from: number): Promise<void> {
    const follower = this.makeFollower(from);
    try {
      for await (const page of follower) await this.#effects(page);
      this.#held = false;
    } catch (error) {
      if (error instanceof Crash) this.#crashes += 1;
      else if (this.#quiet || !GIVEN_UP.includes((error as { code?: string }).code)) throw error;
    }
  }

  protected makeFollower(from: number): AsyncIterable<FollowedPage> {
    const transport: Transport = async (request) => {
      await this.#await();
      if (!this.#held && this.#chance(0.4)) this.#happen();
      const answer = await this.#origin.transport(request);
      await this.#await();
      return answer;
    };
    return new ChangesFollower({
      env: { origin: ORIGIN, transport, ordered: this.#watched(this.#store), clock: this.#clock, random: this.#random },
      from,
      limit: 4,
      once: true,
      mend: (alarm) => this.#replica.relist(this.#origin, alarm, () => this.#pause()),
      onAlarm: ({ kind }) => {
        this.#alarms.push(kind);
        if (kind === 'epoch') this.#held = false;
      },
    });
  }

  async #effects({ changes }: FollowedPage): Promise<void> {
    await this.#await();
    // A process may die between any two effects.
    const half = changes.length >> 1;
    await this.#replica.apply(changes.slice(0, half));
    await this.#await();
    await this.#replica.apply(changes.slice(half));
    await this.#await();
  }

  /** Other things happen while names are listed. */
  async #pause(): Promise<void> {
    await this.#await();
    // Going back to before this listing, but not before the sequence it began at, would be no reset that can be told.
    this.#restore = undefined;
    if (!this.#quiet && !this.#held && this.#chance(0.3)) this.#change();
  }

  #happen(): void {
    if (this.#steps <= 0 || this.#quiet || this.#held) return;
    this.#steps -= 1;
    const draw = this.#random();
    if (draw < 0.08) {
      // Far below everything: a reset that lands among the numbers that were seen cannot be told.
      this.#origin.shift(-50_000);
      this.#restore = undefined;
      this.#resets += 1;
      this.#held = true;
    } else if (draw < 0.14 && this.#restore && this.#restore.head < this.#highest) {
      this.#restore.goBack();
      this.#restore = undefined;
      this.#held = true;
    } else if (draw < 0.3) {
      this.#restore = { head: this.#origin.head, goBack: this.#origin.snapshot() };
    } else for (let i = 1 + this.#below(6); i > 0; i--) this.#change();
  }

  #change(): void {
    const name = this.#name();
    this.#origin.publish(name, this.#origin.rev(name) !== undefined && this.#chance(0.3));
  }

  #bend(page: WirePage, since: number, limit: number): WirePage {
    if (this.#quiet) return page;
    if (this.#frozen-- > 0) return { results: [], last_seq: since };
    const bent = this.#bent(page, limit);
    this.#emptied ||= bent.results.length === 0 && page.results.length > 0;
    return bent;
  }

  #bent(page: WirePage, limit: number): WirePage {
    const { results } = page;
    if (results.length === 0) return page;
    const draw = this.#random();
    if (draw < 0.08) return { ...page, results: [...results, results[this.#below(results.length)] as never] };
    if (draw < 0.16) return { ...page, results: [...results].sort(() => this.#random() - 0.5) };
    if (draw < 0.24) {
      const short = results.slice(0, 1 + this.#below(limit));
      return { results: short, last_seq: short.at(-1)?.seq };
    }
    // Rows are left out, and `last_seq` says nothing of it. Two empty pages in a row that say so are believed, so there is only one in a history.
    if (draw < 0.3) {
      const left = results.slice(0, this.#below(results.length));
      if (left.length > 0 || !this.#emptied) return { ...page, results: left };
    }
    if (draw < 0.33) this.#frozen = 1 + this.#below(3);
    return page;
  }

  #watched(store: OrderedStore): OrderedStore {
    return {
      get: async (key) => {
        await this.#await();
        return store.get(key);
      },
      list: (range) => store.list(range),
      commit: async (changes, expect) => {
        await this.#await();
        const done = await store.commit(changes, expect);
        const cursor = changes.find(({ key }) => key.startsWith('v1:cursor:'));
        if (cursor) this.#highest = (JSON.parse(cursor.value as string) as { highest: number }).highest;
        await this.#await();
        return done;
      },
    };
  }

  readonly #clock: Clock = {
    now: () => this.#now,
    sleep: async (ms, signal) => {
      if (signal?.aborted) throw aborted(signal);
      await this.#await();
      this.#now += ms;
      if (!this.#held && this.#chance(0.3)) this.#happen();
    },
  };

  async #await(): Promise<void> {
    this.#crashIn -= 1;
    if (this.#crashIn <= 0) throw new Crash('killed');
  }

  #name(): string {
    return NAMES[this.#below(NAMES.length)] as string;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
