import { MemoryOrderedStore } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { PAGE_LIMIT, Partition } from '@_all_docs/partition';
import { EVERYTHING, learnedPivots, pivotsFor } from '@_all_docs/worker';
import { describe, expect, it } from 'vitest';
import { learnPivots } from '../src/bootstrap/learned-pivots.ts';

const ORIGIN = 'https://replicate.example';
/** Rows of a full page that are kept: the last one opens the next. */
const KEPT = PAGE_LIMIT - 1;
/** Names that the public npm registry gains in a day. */
const DAILY = 2_490;

/** Names as numbers, sorted; a few thousand more each day at random places. */
class Registry {
  names: Uint32Array;
  #seed = 1;

  constructor(count: number) {
    this.names = Uint32Array.from({ length: count }, () => this.#next()).sort();
  }

  grow(count: number): void {
    const added = Uint32Array.from({ length: count }, () => this.#next()).sort();
    const all = new Uint32Array(this.names.length + count);
    for (let i = 0, j = 0; i + j < all.length; ) {
      const fromAdded = i === this.names.length || (added[j] ?? Number.POSITIVE_INFINITY) < (this.names[i] as number);
      all[i + j] = (fromAdded ? added[j++] : this.names[i++]) as number;
    }
    this.names = all;
  }

  /** How many names come before a key. */
  before(key: string | null): number {
    if (key === null) return this.names.length;
    let [low, high] = [0, this.names.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.names[middle] as number) < Number(key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  nameAt(place: number): string {
    return String(this.names[place]).padStart(10, '0');
  }

  #next(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed ^ (this.#seed >>> 7);
  }
}

/** What a pass asks and records: a full page is a partition, and what follows it another one. */
function listAll(registry: Registry, pivots: readonly string[]): { requests: number; records: PartitionRecord[] } {
  const records: PartitionRecord[] = [];
  let requests = 0;
  for (const { startKey, endKey } of Partition.fromPivots(pivots)) {
    let start = startKey;
    let place = startKey === null ? 0 : registry.before(startKey);
    const end = registry.before(endKey);
    for (; end - place >= PAGE_LIMIT; place += KEPT) {
      const rest = registry.nameAt(place + KEPT);
      requests += 1;
      records.push({ index: records.length, startKey: start, endKey: rest, state: 'complete', rows: KEPT });
      start = rest;
    }
    // A short page is not taken for the last one: one more says that nothing follows.
    requests += end > place ? 2 : 1;
    records.push({ index: records.length, startKey: start, endKey, state: 'complete', rows: end - place });
  }
  return { requests, records };
}

describe('listing a registry again, day after day', () => {
  it.each([4_600_000, 1_000_000, 100_000, 12_000])(
    'of %d names takes some forty requests more than its pages, and no more each time',
    async (count) => {
      const registry = new Registry(count);
      const store = new MemoryOrderedStore();
      for (let day = 1; day <= 20; day++) {
        const { requests, records } = listAll(registry, await pivotsFor(store, ORIGIN, {}));
        const pages = Math.ceil(registry.names.length / KEPT);
        expect(requests).toBeLessThanOrEqual(pages + 45);
        expect(requests).toBeLessThanOrEqual(3 * pages);
        await learnPivots(store, { origin: ORIGIN, startedAt: day }, EVERYTHING, records);
        registry.grow(Math.round((DAILY * count) / 4_600_000));
      }
      // Enough to ask for ten at once, where there are so many pages.
      const chains = (await learnedPivots(store, ORIGIN)).length + 1;
      expect(chains).toBeGreaterThanOrEqual(Math.min(20, Math.floor(count / PAGE_LIMIT)));
    },
    60_000,
  );
});
