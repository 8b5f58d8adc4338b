import { compareBytes } from '@_all_docs/cache';
import { PartitionError } from './errors.js';
import { PAGE_LIMIT, shortestSeparator } from './page.js';
import { Partition } from './partition.js';

/** Names in byte order, one at a time. A name that comes twice counts once. */
export type SortedNames = AsyncIterable<string> | Iterable<string>;

/** How evenly pivots cut a list of names. */
export interface Balance {
  partitions: number;
  names: number;
  /** Partitions without a name. */
  empty: number;
  min: number;
  median: number;
  max: number;
  /** Most by median; `undefined` when the median is 0. */
  ratio: number | undefined;
  /** Partitions that do not fit into one page. */
  overflowing: number;
  /** Names of each partition, in order. */
  counts: number[];
}

/** A boundary may move up by this share of a partition where it gets shorter by that. */
const SLACK = 0.15;

/**
 * Boundaries that leave at most `rows` names in each partition, each the shortest text that separates two names, and of the
 * places near the end of a partition the one where that is shortest. Boundaries of `keep` (sorted) all stay.
 * Reads the names once and remembers none. `ERR_BAD_NAMES` for names out of order.
 */
export async function cutNames(names: SortedNames, rows: number, keep: readonly string[] = []): Promise<string[]> {
  if (!Number.isSafeInteger(rows) || rows < 1) throw new RangeError(`not a number of rows: ${rows}`);
  const cutter = new Cutter(rows, keep);
  for await (const name of distinct(names)) cutter.add(name);
  return cutter.end();
}

/** How many names each partition of `pivots` gets. `ERR_BAD_PIVOTS`, `ERR_BAD_NAMES` for what is not in order. */
export async function measureBalance(names: SortedNames, pivots: readonly string[]): Promise<Balance> {
  const counts = Partition.fromPivots(pivots).map(() => 0);
  let place = 0;
  let total = 0;
  for await (const name of distinct(names)) {
    while (place < pivots.length && compareBytes(pivots[place] as string, name) <= 0) place += 1;
    counts[place] = (counts[place] as number) + 1;
    total += 1;
  }
  return { names: total, ...summary(counts) };
}

/** One sorted list of both, each boundary once. `ERR_BAD_PIVOTS` when one cannot be a boundary. */
export function addPivots(pivots: readonly string[], added: readonly string[]): string[] {
  for (const pivot of added) Partition.fromPivots([pivot]);
  const all = [...new Set([...pivots, ...added])].sort(compareBytes);
  Partition.fromPivots(all);
  return all;
}

class Cutter {
  readonly #pivots: string[] = [];
  readonly #rows: number;
  readonly #near: number;
  readonly #keep: readonly string[];
  #kept = 0;
  #last: string | undefined;
  /** Names since the last boundary, and the best place for the next one as far as it was looked for. */
  #count = 0;
  #best: { pivot: string; count: number } | undefined;

  constructor(rows: number, keep: readonly string[]) {
    this.#rows = rows;
    this.#near = Math.max(1, Math.ceil(rows * (1 - SLACK)));
    this.#keep = keep;
  }

  add(name: string): void {
    while (this.#kept < this.#keep.length && compareBytes(this.#keep[this.#kept] as string, name) <= 0) {
      this.#pivots.push(this.#keep[this.#kept++] as string);
      this.#count = 0;
      this.#best = undefined;
    }
    if (this.#count >= this.#near) this.#look(this.#last as string, name);
    if (this.#count === this.#rows && this.#best) {
      this.#pivots.push(this.#best.pivot);
      this.#count -= this.#best.count;
      this.#best = undefined;
    }
    this.#count += 1;
    this.#last = name;
  }

  end(): string[] {
    return [...this.#pivots, ...this.#keep.slice(this.#kept)];
  }

  #look(before: string, name: string): void {
    const pivot = shortestSeparator(before, name);
    // Of equally short ones the later: fuller partitions are fewer.
    if (!this.#best || pivot.length <= this.#best.pivot.length) this.#best = { pivot, count: this.#count };
  }
}

async function* distinct(names: SortedNames): AsyncIterable<string> {
  let last: string | undefined;
  for await (const name of names) {
    if (name === last) continue;
    if (last !== undefined && compareBytes(last, name) > 0) {
      throw new PartitionError(
        'ERR_BAD_NAMES',
        `the names are not in order: ${JSON.stringify(name)} comes after ${JSON.stringify(last)}; sort them by their UTF-8 bytes (LC_ALL=C sort -u)`,
      );
    }
    yield name;
    last = name;
  }
}

function summary(counts: number[]): Omit<Balance, 'names'> {
  const sorted = counts.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >>> 1] as number;
  const max = sorted.at(-1) as number;
  return {
    partitions: counts.length,
    empty: counts.filter((count) => count === 0).length,
    min: sorted[0] as number,
    median,
    max,
    ratio: median === 0 ? undefined : Math.round((100 * max) / median) / 100,
    overflowing: counts.filter((count) => count >= PAGE_LIMIT).length,
    counts,
  };
}
