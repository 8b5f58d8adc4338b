/** How far ahead the clock may be of whoever filled a tier, in milliseconds. */
export const SKEW_MS = 1_000;

interface Mark {
  /** What is as of then, or as of earlier, is void. */
  at: number;
  /** When we changed the key ourselves. */
  own?: number;
  /** What the primary was found to hold after that, by us: a digest, or that it holds nothing. */
  known?: string | undefined;
}

/**
 * When keys were last changed: what a tier holds of a key as of then, or as of earlier, is void. What others say to be as
 * of shortly after a change of our own may be from before it, since clocks differ: for so long only what we know to be
 * there counts. A mark is kept for as long as such an entry could still be young enough to be served. Bounded: when there
 * are too many, the oldest is dropped, and everything as of its time is void, of every key.
 */
export class Marks {
  readonly #marks = new Map<string, Mark>();
  readonly #keptMs: number;
  readonly #limit: number;
  #floor = Number.NEGATIVE_INFINITY;

  constructor(keptMs: number, limit = 10_000) {
    this.#keptMs = keptMs;
    this.#limit = limit;
  }

  get size(): number {
    return this.#marks.size;
  }

  /** The time that an entry must be newer than. */
  after(key: string): number {
    return Math.max(this.#floor, this.#marks.get(key)?.at ?? Number.NEGATIVE_INFINITY);
  }

  /** Whether what a tier holds, of that digest (`undefined` for nothing) and as of that time, may be void. */
  isVoid(key: string, asOf: number, digest: string | undefined): boolean {
    if (!(asOf > this.after(key))) return true;
    const { own, known } = this.#marks.get(key) ?? {};
    return own !== undefined && asOf <= own + SKEW_MS && known !== nameOf(digest);
  }

  /** Somebody else changed a key. */
  note(key: string, at: number, now: number): void {
    const held = this.#marks.get(key);
    this.#set(key, { ...held, at: Math.max(held?.at ?? at, at) }, now);
  }

  /** We changed a key; `digest` is `undefined` where nothing is there now, `unknown` where only the primary can tell. */
  noteOwn(key: string, at: number, now: number, digest: string | 'unknown' | undefined): void {
    const held = this.#marks.get(key);
    const known = digest === 'unknown' ? undefined : nameOf(digest);
    this.#set(key, { at: Math.max(held?.at ?? at, at), own: at, known }, now);
  }

  /** The primary was asked by us, and held this as of then. */
  learn(key: string, asOf: number, digest: string | undefined): void {
    const mark = this.#marks.get(key);
    if (mark?.own !== undefined && asOf > mark.at) mark.known = nameOf(digest);
  }

  #set(key: string, mark: Mark, now: number): void {
    // Taken out first, so that the map stays in the order of its times.
    this.#marks.delete(key);
    this.#marks.set(key, mark);
    for (const [oldest, { at }] of this.#marks) {
      if (at + this.#keptMs >= now && this.#marks.size <= this.#limit) break;
      if (at + this.#keptMs >= now) this.#floor = Math.max(this.#floor, at);
      this.#marks.delete(oldest);
    }
  }
}

function nameOf(digest: string | undefined): string {
  return digest ?? 'nothing';
}
