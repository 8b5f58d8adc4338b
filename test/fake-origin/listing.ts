import type { NameTable } from './name-table.ts';

interface Added {
  id: number;
  key: Buffer;
}

export interface ListPage {
  /** How many listed names sort before the page's start. */
  offset: number;
  ids: number[];
}

/** Which ids are listed, in byte order: a fixed table, less what went, plus what came. */
export class Listing {
  #table: NameTable;
  #gone: number[] = [];
  #added: Added[] = [];

  constructor(table: NameTable) {
    this.#table = table;
  }

  get count(): number {
    return this.#table.size - this.#gone.length + this.#added.length;
  }

  has(id: number): boolean {
    if (id < this.#table.size) return this.#gone[lowerBound(this.#gone, (gone) => gone < id)] !== id;
    return this.#added.some((entry) => entry.id === id);
  }

  add(id: number, name: string): void {
    if (this.has(id)) return;
    if (id < this.#table.size)
      this.#gone.splice(
        lowerBound(this.#gone, (gone) => gone < id),
        1,
      );
    else {
      const key = Buffer.from(name);
      this.#added.splice(this.#addedBound(key), 0, { id, key });
    }
  }

  remove(id: number): void {
    if (!this.has(id)) return;
    if (id < this.#table.size)
      this.#gone.splice(
        lowerBound(this.#gone, (gone) => gone < id),
        0,
        id,
      );
    else
      this.#added.splice(
        this.#added.findIndex((entry) => entry.id === id),
        1,
      );
  }

  /** At most `limit` ids from `start` on (inclusive), while `within` holds. */
  page(start: Buffer, limit: number, within: (id: number) => boolean): ListPage {
    let base = this.#table.lowerBound(start);
    let extra = this.#addedBound(start);
    let gone = lowerBound(this.#gone, (id) => id < base);
    const page: ListPage = { offset: base - gone + extra, ids: [] };
    while (page.ids.length < limit) {
      while (this.#gone[gone] === base) {
        gone += 1;
        base += 1;
      }
      const added = this.#added[extra];
      const fromBase = base < this.#table.size && (!added || this.#table.compare(base, added.key) < 0);
      if (!fromBase && !added) break;
      const id = fromBase ? base : (added as Added).id;
      if (!within(id)) break;
      page.ids.push(id);
      if (fromBase) base += 1;
      else extra += 1;
    }
    return page;
  }

  /** At most `count` listed ids of the table before `start`, in order. */
  before(start: Buffer, count: number): number[] {
    const ids: number[] = [];
    for (let id = this.#table.lowerBound(start) - 1; id >= 0 && ids.length < count; id--)
      if (this.has(id)) ids.unshift(id);
    return ids;
  }

  #addedBound(key: Buffer): number {
    return lowerBound(this.#added, (entry) => Buffer.compare(entry.key, key) < 0);
  }
}

/** The first place of a sorted list for which `below` no longer holds. */
function lowerBound<T>(list: readonly T[], below: (item: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (below(list[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
