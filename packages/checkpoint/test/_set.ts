import { Cache, MemoryOrderedStore, MemoryStorageDriver, type OrderedStore, StorageDriver } from '@_all_docs/cache';
import { PartitionCheckpoint, type PartitionRecord } from '@_all_docs/checkpoint';
import { type KeyRange, Partition } from '@_all_docs/partition';

/** A driver whose ordered store is the one given, or none. */
export class DriverBeside extends StorageDriver {
  override readonly ordered: OrderedStore | undefined;
  readonly #entries = new MemoryStorageDriver();

  constructor(ordered: OrderedStore | undefined) {
    super();
    this.ordered = ordered;
  }

  read = (key: string) => this.#entries.read(key);
  head = (key: string) => this.#entries.head(key);
  write = (...args: Parameters<StorageDriver['write']>) => this.#entries.write(...args);
  delete = (key: string) => this.#entries.delete(key);
  list = (...args: Parameters<StorageDriver['list']>) => this.#entries.list(...args);
}

/** An ordered store at which a test can stop what goes in and out. */
export class WatchedStore implements OrderedStore {
  readonly inner = new MemoryOrderedStore();
  commits = 0;
  mostChanges = 0;
  /** Called before each commit reaches the store. */
  before: () => void | Promise<void> = () => undefined;

  get(key: string) {
    return this.inner.get(key);
  }

  list(...args: Parameters<OrderedStore['list']>) {
    return this.inner.list(...args);
  }

  async commit(...args: Parameters<OrderedStore['commit']>) {
    this.commits += 1;
    this.mostChanges = Math.max(this.mostChanges, args[0].length);
    await this.before();
    return this.inner.commit(...args);
  }
}

/** A checkpoint as one process has it: its own object over a store that may be shared. */
export const checkpointOn = (store: OrderedStore, setId = 'set-1') =>
  new PartitionCheckpoint(new Cache({ driver: new DriverBeside(store) }), setId);

export const three = () => Partition.fromPivots(['a', 'b']);
export const many = (count: number) =>
  Partition.fromPivots(Array.from({ length: count - 1 }, (_, i) => `p${String(i).padStart(4, '0')}`));

export async function records(checkpoint: PartitionCheckpoint): Promise<PartitionRecord[]> {
  const out: PartitionRecord[] = [];
  for await (const record of checkpoint.partitions()) out.push(record);
  return out;
}

export async function states(checkpoint: PartitionCheckpoint): Promise<string[]> {
  return (await records(checkpoint)).map(({ state }) => state);
}

/** Whether ranges cover all names, each once. */
export function tile(ranges: readonly KeyRange[]): boolean {
  return (
    ranges.every(({ startKey }, i) => startKey === (i === 0 ? null : ranges[i - 1]?.endKey)) &&
    ranges.at(-1)?.endKey === null
  );
}
