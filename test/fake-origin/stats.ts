import type { NameCount, RequestKind, Stats } from './types.ts';
import type { World } from './world.ts';

/** Counts of what was asked and answered. Per-name counts are arrays: a million names cost 8 MB. */
export class Counters {
  #world: World;
  #asked: Uint32Array;
  #served: Uint32Array;
  #others = new Map<string, NameCount>();
  #counts = empty();
  #inFlight = 0;

  constructor(world: World) {
    this.#world = world;
    this.#asked = new Uint32Array(world.table.size);
    this.#served = new Uint32Array(world.table.size);
  }

  begin(kind: RequestKind, name: string | undefined): void {
    this.#counts.byKind[kind] += 1;
    if (kind === 'control') return;
    this.#counts.requests += 1;
    this.#inFlight += 1;
    this.#counts.maxInFlight = Math.max(this.#counts.maxInFlight, this.#inFlight);
    if (kind === 'packument') this.#count(name as string, 'asked');
  }

  end(kind: RequestKind): void {
    if (kind !== 'control') this.#inFlight -= 1;
  }

  /** A status line went out. */
  status(status: number): void {
    this.#counts.byStatus[status] = (this.#counts.byStatus[status] ?? 0) + 1;
    if (status === 304) this.#counts.notModified += 1;
  }

  bytes(count: number): void {
    this.#counts.bytes += count;
  }

  fault(kind: string): void {
    this.#counts.faults[kind] = (this.#counts.faults[kind] ?? 0) + 1;
  }

  /** A packument went out whole and true. */
  served(name: string): void {
    this.#count(name, 'served');
  }

  perName(name: string): NameCount {
    const id = this.#world.table.indexOf(name);
    if (id === -1) return this.#others.get(name) ?? { asked: 0, served: 0 };
    return { asked: this.#asked[id] as number, served: this.#served[id] as number };
  }

  snapshot(): Stats {
    const { byKind, byStatus, faults, ...rest } = this.#counts;
    const perName = { get: (name: string) => this.perName(name), entries: () => this.#entries() };
    return { ...rest, byKind: { ...byKind }, byStatus: { ...byStatus }, faults: { ...faults }, perName };
  }

  /** Requests in flight stay in flight. */
  reset(): void {
    this.#counts = { ...empty(), maxInFlight: this.#inFlight };
    this.#asked.fill(0);
    this.#served.fill(0);
    this.#others.clear();
  }

  *#entries(): Iterable<[string, NameCount]> {
    for (let id = 0; id < this.#asked.length; id++) {
      if (this.#asked[id] === 0) continue;
      yield [this.#world.table.at(id), { asked: this.#asked[id] as number, served: this.#served[id] as number }];
    }
    yield* this.#others;
  }

  #count(name: string, what: 'asked' | 'served'): void {
    const id = this.#world.table.indexOf(name);
    if (id !== -1) {
      const counts = what === 'asked' ? this.#asked : this.#served;
      counts[id] = (counts[id] as number) + 1;
      return;
    }
    const other = this.#others.get(name) ?? { asked: 0, served: 0 };
    other[what] += 1;
    this.#others.set(name, other);
  }
}

function empty(): Omit<Stats, 'perName'> {
  return {
    requests: 0,
    byKind: { root: 0, allDocs: 0, changes: 0, packument: 0, tarball: 0, control: 0, other: 0 },
    byStatus: {},
    faults: {},
    notModified: 0,
    maxInFlight: 0,
    bytes: 0,
  };
}
