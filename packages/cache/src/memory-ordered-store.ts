import { compareBytes } from './order.js';
import type { OrderedStore, RowChange, RowExpectation, RowRange } from './ordered-store.js';

/** The reference {@link OrderedStore}: rows in memory, sorted when they are listed. */
export class MemoryOrderedStore implements OrderedStore {
  readonly #rows = new Map<string, string>();
  #sorted: string[] | undefined;

  async get(key: string): Promise<string | undefined> {
    return this.#rows.get(key);
  }

  async *list({ start, end, after, limit = Number.POSITIVE_INFINITY }: RowRange = {}): AsyncIterable<[string, string]> {
    const keys = this.#keys();
    let given = 0;
    for (let i = start === undefined ? 0 : lowerBound(keys, start); i < keys.length && given < limit; i++) {
      const key = keys[i] as string;
      if (end !== undefined && compareBytes(key, end) >= 0) return;
      if (after !== undefined && compareBytes(key, after) <= 0) continue;
      const value = this.#rows.get(key);
      if (value === undefined) continue;
      given += 1;
      yield [key, value];
    }
  }

  async commit(changes: readonly RowChange[], expect: readonly RowExpectation[] = []): Promise<boolean> {
    if (expect.some(({ key, value }) => this.#rows.get(key) !== value)) return false;
    for (const { key, value } of changes) {
      if (value === undefined ? this.#rows.delete(key) : !this.#rows.has(key)) this.#sorted = undefined;
      if (value !== undefined) this.#rows.set(key, value);
    }
    return true;
  }

  #keys(): readonly string[] {
    this.#sorted ??= [...this.#rows.keys()].sort(compareBytes);
    return this.#sorted;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keys[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
