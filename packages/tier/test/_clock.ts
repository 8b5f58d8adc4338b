import type { TierClock } from '@_all_docs/tier';

/** The machine's own clock. */
export const systemClock: TierClock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(new Error('the sleep was ended'));
      });
    }),
};

/** A clock that moves only when it is told to, or when nothing else can go on. */
export class ManualClock implements TierClock {
  #now = 1_750_000_000_000;
  #sleepers: { at: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
        reject(new Error('the sleep was ended'));
      });
    });
  }

  /** What the work gives, and how long it took; time stands still while there is something to do. */
  async time<T>(work: Promise<T>): Promise<{ given: T; ms: number }> {
    const from = this.#now;
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    for (await settle(); !isOver; await settle()) {
      if (!this.#wakeNext(Number.POSITIVE_INFINITY)) throw new Error('the work waits for something else than time');
    }
    return { given: await work, ms: this.#now - from };
  }

  /** Moves on, waking whoever sleeps till then. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (await settle(); this.#wakeNext(end); await settle());
    this.#now = end;
    await settle();
  }

  /** The same without giving anybody a turn. */
  jump(ms: number): void {
    const end = this.#now + ms;
    while (this.#wakeNext(end));
    this.#now = end;
  }

  #wakeNext(end: number): boolean {
    const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0];
    if (!next || next.at > end) return false;
    this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
    this.#now = Math.max(this.#now, next.at);
    next.wake();
    return true;
  }
}

/** Lets everything go on that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined;
  await new Promise((resolve) => setImmediate(resolve));
}
