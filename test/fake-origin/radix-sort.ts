import type { NameArena } from './name-arena.ts';

const SMALL = 24;

/** The places of an arena's names in byte order (most-significant-byte radix sort: no strings are made). */
export function sortedOrder(arena: NameArena): Uint32Array {
  const order = new Uint32Array(arena.count);
  for (let i = 0; i < order.length; i++) order[i] = i;
  const scratch = new Uint32Array(arena.count);
  const todo: [number, number, number][] = [[0, arena.count, 0]];
  for (let job = todo.pop(); job !== undefined; job = todo.pop()) {
    const [from, to, depth] = job;
    if (to - from <= SMALL) insertionSort(arena, order, from, to, depth);
    else splitByByte(arena, order, scratch, from, to, depth, todo);
  }
  return order;
}

/** The byte at `depth` plus one; 0 when the name has ended, so a prefix sorts first. */
function byteAt(arena: NameArena, place: number, depth: number): number {
  const at = (arena.offsets[place] as number) + depth;
  return at < (arena.offsets[place + 1] as number) ? (arena.bytes[at] as number) + 1 : 0;
}

function splitByByte(
  arena: NameArena,
  order: Uint32Array,
  scratch: Uint32Array,
  from: number,
  to: number,
  depth: number,
  todo: [number, number, number][],
): void {
  const starts = new Uint32Array(258);
  for (let i = from; i < to; i++) {
    const bucket = byteAt(arena, order[i] as number, depth) + 1;
    starts[bucket] = (starts[bucket] as number) + 1;
  }
  for (let i = 1; i < 258; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  const next = starts.slice();
  for (let i = from; i < to; i++) {
    const place = order[i] as number;
    const bucket = byteAt(arena, place, depth);
    scratch[from + (next[bucket] as number)] = place;
    next[bucket] = (next[bucket] as number) + 1;
  }
  order.set(scratch.subarray(from, to), from);
  for (let b = 1; b < 257; b++) {
    const [low, high] = [from + (starts[b] as number), from + (starts[b + 1] as number)];
    if (high - low > 1) todo.push([low, high, depth + 1]);
  }
}

function insertionSort(arena: NameArena, order: Uint32Array, from: number, to: number, depth: number): void {
  for (let i = from + 1; i < to; i++) {
    const place = order[i] as number;
    let j = i - 1;
    for (; j >= from && follows(arena, order[j] as number, place, depth); j--) order[j + 1] = order[j] as number;
    order[j + 1] = place;
  }
}

function follows(arena: NameArena, left: number, right: number, depth: number): boolean {
  for (let d = depth; ; d++) {
    const [a, b] = [byteAt(arena, left, d), byteAt(arena, right, d)];
    if (a !== b) return a > b;
    if (a === 0) return false;
  }
}
