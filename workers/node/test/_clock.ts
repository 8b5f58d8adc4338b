import { aborted, type Clock } from '@_all_docs/http';

/** A clock that stands still until it is told to move. */
export class TestClock implements Clock {
  #now = 1_700_000_000_000;
  #sleepers: { until: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal));
      const sleeper = { until: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
          reject(aborted(signal));
        },
        { once: true },
      );
    });
  }

  /** Moves on, waking sleepers in their order, each with time to act. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#sleepers.filter(({ until }) => until <= end).sort((a, b) => a.until - b.until)[0];
      if (!next) break;
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.until);
      next.wake();
      await new Promise((resolve) => setTimeout(resolve));
    }
    this.#now = end;
    await new Promise((resolve) => setTimeout(resolve));
  }
}
