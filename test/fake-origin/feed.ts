import { Affine } from './affine.ts';
import { mix } from './hash.ts';

const FIRST = 1000;
const STEP = 4;

export interface FeedRow {
  seq: number;
  id: number;
}

/**
 * Each document once, at its latest sequence number. The first `size` documents stand in an order of their own
 * with gaps between the numbers, as the real feed has; later changes are appended.
 */
export class Feed {
  #order: Affine;
  #seed: number;
  #size: number;
  #latest = new Map<number, number>();
  #log: FeedRow[] = [];
  #head: number;
  #shift = 0;

  constructor(size: number, seed: number) {
    this.#order = new Affine(size, mix(seed ^ 0xfeed));
    this.#seed = seed;
    this.#size = size;
    this.#head = size === 0 ? FIRST : this.#seqOf(size - 1);
  }

  get head(): number {
    return this.#head + this.#shift;
  }

  /** Gives the document the newest number. */
  touch(id: number): void {
    this.#head += 1 + (mix(this.#seed ^ this.#head) % STEP);
    this.#latest.set(id, this.#head);
    this.#log.push({ seq: this.#head, id });
  }

  /** Adds `by` to every number, past and future: an epoch change when negative. */
  shift(by: number): void {
    this.#shift += by;
  }

  /** At most `limit` rows with a number above `since`. */
  after(since: number, limit: number): FeedRow[] {
    const from = since - this.#shift;
    const rows: FeedRow[] = [];
    for (let p = this.#positionAfter(from); p < this.#size && rows.length < limit; p++) {
      const id = this.#order.forward(p);
      if (!this.#latest.has(id)) rows.push({ seq: this.#seqOf(p) + this.#shift, id });
    }
    for (let i = this.#logAfter(from); i < this.#log.length && rows.length < limit; i++) {
      const row = this.#log[i] as FeedRow;
      if (this.#latest.get(row.id) === row.seq) rows.push({ seq: row.seq + this.#shift, id: row.id });
    }
    return rows;
  }

  #seqOf(position: number): number {
    return FIRST + position * STEP + (mix(this.#seed + position) % STEP);
  }

  #positionAfter(seq: number): number {
    let position = Math.max(0, Math.floor((seq - FIRST) / STEP) - 1);
    while (position < this.#size && this.#seqOf(position) <= seq) position += 1;
    return position;
  }

  #logAfter(seq: number): number {
    let [low, high] = [0, this.#log.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#log[middle] as FeedRow).seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
