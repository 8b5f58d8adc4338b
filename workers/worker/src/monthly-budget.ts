import type { OrderedStore } from '@_all_docs/cache';
import { type Budget, type Clock, HttpError } from '@_all_docs/http';

/** What the public npm registry's terms call unreasonable "under no circumstances": five million requests in a month. */
export const NPM_MONTHLY_REQUESTS = 5_000_000;
const BLOCK = 100;
/** What the keys of all months' rows begin with. */
export const BUDGET_PREFIX = 'v1:budget:';

/**
 * A month's requests, counted durably and for every process on the store together. Requests are reserved in small
 * blocks before they are made, so a crash can only waste a few, never overspend.
 */
export class MonthlyBudget implements Budget {
  readonly limit: number;
  readonly #store: OrderedStore;
  readonly #clock: Pick<Clock, 'now'>;
  #month = '';
  #left = 0;
  #reserving: Promise<void> | undefined;

  constructor(store: OrderedStore, clock: Pick<Clock, 'now'>, limit: number) {
    this.#store = store;
    this.#clock = clock;
    this.limit = limit;
  }

  take(): void | Promise<void> {
    if (this.#left === 0 || this.#month !== this.#now()) return this.#takeSlowly();
    this.#left -= 1;
  }

  /** Requests of this month so far, reserved ones included. */
  async used(): Promise<number> {
    return Number((await this.#store.get(key(this.#now()))) ?? 0);
  }

  /** Gives back what was reserved and not used. */
  async settle(): Promise<void> {
    const unused = this.#left;
    this.#left = 0;
    if (unused > 0) await this.#change((used) => Math.max(0, used - unused));
  }

  async #takeSlowly(): Promise<void> {
    while (this.#left === 0 || this.#month !== this.#now()) {
      this.#reserving ??= this.#reserve().finally(() => {
        this.#reserving = undefined;
      });
      await this.#reserving;
    }
    this.#left -= 1;
  }

  async #reserve(): Promise<void> {
    let granted = 0;
    this.#month = this.#now();
    this.#left = 0; // What is left of last month's block counts for that month only.
    await this.#change((used) => {
      granted = Math.min(BLOCK, this.limit - used);
      if (granted > 0) return used + granted;
      throw new HttpError(
        'ERR_BUDGET_EXHAUSTED',
        `the budget of ${this.limit} requests for ${this.#month} is used up; run the same command again next month, or raise --budget`,
      );
    });
    this.#left = granted;
  }

  async #change(next: (used: number) => number): Promise<void> {
    const row = key(this.#month);
    for (;;) {
      const before = await this.#store.get(row);
      const value = String(next(Number(before ?? 0)));
      if (await this.#store.commit([{ key: row, value }], [{ key: row, value: before }])) return;
    }
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString().slice(0, 7);
  }
}

function key(month: string): string {
  return BUDGET_PREFIX + month;
}
