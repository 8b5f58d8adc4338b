import { fingerprint } from '@_all_docs/cache';
import { type KeyRange, Partition } from './partition.js';

/** All partitions that a list of pivots makes of one registry, with a name of their own: the hash of the pivots. */
export class PartitionSet implements Iterable<Partition> {
  readonly origin: string;
  readonly partitions: readonly Partition[];
  readonly hash: string;

  constructor(origin: string, partitions: readonly Partition[]) {
    this.origin = origin;
    this.partitions = partitions;
    this.hash = hashRanges(partitions);
  }

  static fromPivots(origin: string, pivots: readonly (string | null)[]): PartitionSet {
    return new PartitionSet(origin, Partition.fromPivots(pivots, origin));
  }

  get length(): number {
    return this.partitions.length;
  }

  [Symbol.iterator](): Iterator<Partition> {
    return this.partitions[Symbol.iterator]();
  }
}

/** What tells one list of ranges from another, whatever their number. */
export function hashRanges(ranges: Iterable<KeyRange>): string {
  return fingerprint(JSON.stringify(Array.from(ranges, ({ startKey, endKey }) => [startKey, endKey])));
}
