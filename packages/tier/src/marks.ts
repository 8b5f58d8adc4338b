/**
 * When keys were last changed: what a tier holds of a key as of then, or as of earlier, is void. A mark is kept for as
 * long as such an entry could still be young enough to be served. Bounded: when there are too many, the oldest is
 * dropped, and everything as of its time is void, of every key.
 */
export class Marks {
  readonly #times = new Map<string, number>();
  readonly #keptMs: number;
  readonly #limit: number;
  #floor = Number.NEGATIVE_INFINITY;

  constructor(keptMs: number, limit = 10_000) {
    this.#keptMs = keptMs;
    this.#limit = limit;
  }

  get size(): number {
    return this.#times.size;
  }

  /** The time that an entry must be newer than. */
  after(key: string): number {
    return Math.max(this.#floor, this.#times.get(key) ?? Number.NEGATIVE_INFINITY);
  }

  note(key: string, time: number, now: number): void {
    const held = this.#times.get(key) ?? time;
    // Taken out first, so that the map stays in the order of its times.
    this.#times.delete(key);
    this.#times.set(key, Math.max(held, time));
    for (const [oldest, at] of this.#times) {
      if (at + this.#keptMs >= now && this.#times.size <= this.#limit) break;
      if (at + this.#keptMs >= now) this.#floor = Math.max(this.#floor, at);
      this.#times.delete(oldest);
    }
  }
}
