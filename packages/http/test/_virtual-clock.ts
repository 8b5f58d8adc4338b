import { aborted, type Clock } from '@_all_docs/http';

interface Sleeper {
  at: number;
  wake: () => void;
}

/** Time that stands still until it is moved: every sleeper wakes at its own moment, in order. */
export class VirtualClock implements Clock {
  readonly sleeps: number[] = [];
  readonly #sleepers: Sleeper[] = [];
  #now: number;

  constructor(now = 1_750_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted(signal));
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        const at = this.#sleepers.indexOf(sleeper);
        if (at !== -1) this.#sleepers.splice(at, 1);
        reject(aborted(signal));
      });
    });
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Moves time on, through every wake-up on the way; forever unless told, that is until nobody sleeps. */
  async advance(ms = Number.POSITIVE_INFINITY): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let steps = 0; ; steps++) {
      if (steps > 200_000) throw new Error('time moves on, but nothing ends');
      const next = this.#sleepers.reduce<Sleeper | undefined>((a, b) => (a && a.at <= b.at ? a : b), undefined);
      if (!next || next.at > end) break;
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await settle();
    }
    if (end !== Number.POSITIVE_INFINITY) this.#now = end;
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
