import { hashBytes } from './hash.ts';
import { makeName } from './name-maker.ts';
import { NASTY_NAMES } from './nasty.ts';

/** Names end to end as UTF-8: name i is `bytes[offsets[i], offsets[i + 1])`. */
export interface NameArena {
  bytes: Buffer;
  offsets: Uint32Array;
  count: number;
}

const NASTY_FROM = 100;

/** The `index`-th candidate name of a seed, for a set of so many names. */
export type MakeName = (seed: number, index: number, packages: number) => string;

/** Exactly `packages` distinct names, in the order they were made. */
export function collectNames(packages: number, seed: number, make: MakeName = makeName): NameArena {
  const collector = new Collector(packages);
  if (packages >= NASTY_FROM) for (const name of NASTY_NAMES) collector.add(name);
  for (let index = 0; collector.count < packages; index++) collector.add(make(seed, index, packages));
  return collector.arena();
}

/** Appends names to one buffer and knows, by an open-addressed table of places, which it already has. */
class Collector {
  count = 0;
  #bytes: Buffer;
  #offsets: Uint32Array;
  #slots: Uint32Array;

  constructor(packages: number) {
    this.#bytes = Buffer.allocUnsafeSlow(4096 + packages * 24);
    this.#offsets = new Uint32Array(packages + 1);
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(packages * 2 + 16)));
  }

  add(name: string): void {
    const start = this.#offsets[this.count] as number;
    this.#reserve(start + name.length * 4);
    const end = start + this.#bytes.write(name, start);
    if (!this.#claim(start, end)) return;
    this.count += 1;
    this.#offsets[this.count] = end;
  }

  arena(): NameArena {
    return { bytes: this.#bytes, offsets: this.#offsets, count: this.count };
  }

  #claim(start: number, end: number): boolean {
    const mask = this.#slots.length - 1;
    let slot = hashBytes(this.#bytes, start, end) & mask;
    for (let place = this.#slots[slot] as number; place !== 0; place = this.#slots[slot] as number) {
      if (this.#same(place - 1, start, end)) return false;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = this.count + 1;
    return true;
  }

  #same(place: number, start: number, end: number): boolean {
    const from = this.#offsets[place] as number;
    const to = this.#offsets[place + 1] as number;
    if (to - from !== end - start) return false;
    for (let i = 0; i < to - from; i++) if (this.#bytes[from + i] !== this.#bytes[start + i]) return false;
    return true;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafeSlow(size + this.#bytes.length * 1.25);
    this.#bytes.copy(wider);
    this.#bytes = wider;
  }
}
