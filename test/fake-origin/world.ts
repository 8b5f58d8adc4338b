import type { FeedRow } from './feed.ts';
import { Feed } from './feed.ts';
import { hashText, hex32, mix } from './hash.ts';
import type { ListPage } from './listing.ts';
import { Listing } from './listing.ts';
import type { NameTable } from './name-table.ts';
import { makeNameTable } from './name-table.ts';
import type { Doc, RemovalKind } from './types.ts';

const NOTHING = Buffer.alloc(0);

/** Which names exist, at which revision, in which order of change. Only documents that changed cost memory. */
export class World {
  readonly table: NameTable;
  #seed: number;
  #listing: Listing;
  #feed: Feed;
  #changed = new Map<number, Doc>();
  #addedIds = new Map<string, number>();
  #addedNames: string[] = [];

  constructor(packages: number, seed: number) {
    this.#seed = seed;
    this.table = makeNameTable(packages, seed);
    this.#listing = new Listing(this.table);
    this.#feed = new Feed(packages, seed);
  }

  get count(): number {
    return this.#listing.count;
  }

  /** How many names exist or existed; their ids are below it. */
  get known(): number {
    return this.table.size + this.#addedNames.length;
  }

  get updateSeq(): number {
    return this.#feed.head;
  }

  has(name: string): boolean {
    const id = this.idOf(name);
    return id !== -1 && this.#listing.has(id);
  }

  /** The id of any name that exists or existed; -1 for others. */
  idOf(name: string): number {
    const id = this.table.indexOf(name);
    return id === -1 ? (this.#addedIds.get(name) ?? -1) : id;
  }

  nameOf(id: number): string {
    return id < this.table.size ? this.table.at(id) : (this.#addedNames[id - this.table.size] as string);
  }

  doc(id: number): Doc {
    return this.#changed.get(id) ?? { id, name: this.nameOf(id), generation: 0, added: 0 };
  }

  find(name: string): Doc | undefined {
    const id = this.idOf(name);
    return id === -1 ? undefined : this.doc(id);
  }

  rev(doc: Doc): string {
    const [a, b] = [hashText(doc.name, this.#seed), hashText(doc.name, ~this.#seed)];
    return `${1 + (mix(a) % 40) + doc.generation}-${hex32(a, b, doc.generation)}`;
  }

  *names(): Iterable<string> {
    for (let start: Buffer = NOTHING; ; ) {
      const { ids } = this.#listing.page(start, 5000, () => true);
      const names = ids.map((id) => this.nameOf(id));
      yield* names;
      if (names.length < 5000) return;
      // Nothing sorts between a name and the same name with a zero byte.
      start = Buffer.from(`${names.at(-1)}\0`);
    }
  }

  /** Listed ids from `start` (inclusive) to `end`. */
  page(start: Buffer | null, end: Buffer | null, inclusiveEnd: boolean, limit: number): ListPage {
    const most = inclusiveEnd ? 0 : -1;
    const within = end === null ? () => true : (id: number) => this.#compare(id, end) <= most;
    return this.#listing.page(start ?? NOTHING, limit, within);
  }

  /** At most `count` listed ids before `start`, in order. Names that were added after the start are passed over. */
  before(start: Buffer, count: number): number[] {
    return this.#listing.before(start, count);
  }

  changes(since: number, limit: number): FeedRow[] {
    return this.#feed.after(since, limit);
  }

  shiftSequence(by: number): void {
    this.#feed.shift(by);
  }

  /** A new version; a name that is new or was removed becomes live. */
  publish(name: string): Doc {
    const known = this.find(name);
    const id = known?.id ?? this.#register(name);
    this.#listing.add(id, name);
    const { generation = -1, added = -1, withdrawn = [] } = known ?? {};
    return this.#commit({ id, name, generation: generation + 1, added: added + 1, withdrawn });
  }

  /** Throws on a name that never existed. */
  remove(name: string, how: RemovalKind): Doc {
    const known = this.find(name);
    if (!known) throw new Error(`no such package: ${name}`);
    if (how === 'version') throw new Error('a version is withdrawn, not removed');
    if (how !== 'placeholder' && how !== '404') this.#listing.remove(known.id);
    // Without a word: no new revision, no row.
    if (how === 'silent') {
      const gone = { ...known, removed: how };
      this.#changed.set(known.id, gone);
      return gone;
    }
    return this.#commit({ ...known, generation: known.generation + 1, removed: how });
  }

  /** Takes the version at a place of the document's plan away. */
  withdraw(doc: Doc, place: number): Doc {
    return this.#commit({ ...doc, generation: doc.generation + 1, withdrawn: [...(doc.withdrawn ?? []), place] });
  }

  #commit(doc: Doc): Doc {
    this.#changed.set(doc.id, doc);
    this.#feed.touch(doc.id);
    return doc;
  }

  #register(name: string): number {
    const id = this.table.size + this.#addedNames.push(name) - 1;
    this.#addedIds.set(name, id);
    return id;
  }

  #compare(id: number, key: Buffer): number {
    return id < this.table.size ? this.table.compare(id, key) : Buffer.compare(Buffer.from(this.nameOf(id)), key);
  }
}
