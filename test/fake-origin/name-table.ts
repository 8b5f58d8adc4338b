import type { MakeName, NameArena } from './name-arena.ts';
import { collectNames } from './name-arena.ts';
import { sortedOrder } from './radix-sort.ts';

/** An immutable list of distinct names in byte order, about 20 bytes a name. */
export class NameTable {
  readonly size: number;
  #bytes: Buffer;
  #offsets: Uint32Array;

  constructor(arena: NameArena) {
    this.size = arena.count;
    this.#bytes = arena.bytes;
    this.#offsets = arena.offsets;
  }

  at(index: number): string {
    return this.#bytes.toString('utf8', this.#offsets[index], this.#offsets[index + 1]);
  }

  /** The place of `name`, or -1. */
  indexOf(name: string): number {
    const key = Buffer.from(name);
    const index = this.lowerBound(key);
    return index < this.size && this.compare(index, key) === 0 ? index : -1;
  }

  /** The first place whose name is not below `key`. */
  lowerBound(key: Buffer): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(middle, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  compare(index: number, key: Buffer): number {
    const start = this.#offsets[index] as number;
    const end = this.#offsets[index + 1] as number;
    return this.#bytes.compare(key, 0, key.length, start, end);
  }
}

/** The table of a seed. */
export function makeNameTable(packages: number, seed: number, make?: MakeName): NameTable {
  const made = collectNames(packages, seed, make);
  return new NameTable(inOrder(made, sortedOrder(made)));
}

function inOrder(arena: NameArena, order: Uint32Array): NameArena {
  const bytes = Buffer.allocUnsafeSlow(arena.offsets[arena.count] as number);
  const offsets = new Uint32Array(arena.count + 1);
  let end = 0;
  for (let i = 0; i < order.length; i++) {
    const place = order[i] as number;
    end += arena.bytes.copy(bytes, end, arena.offsets[place], arena.offsets[place + 1]);
    offsets[i + 1] = end;
  }
  return { bytes, offsets, count: arena.count };
}
