import { type Cache, fingerprint, hex, type OrderedStore, prefixRange, unhex } from '@_all_docs/cache';
import { checkpointPrefix, PartitionCheckpoint, type PartitionProgress } from '@_all_docs/checkpoint';
import type { PackumentForm } from '@_all_docs/packument';
import type { OriginInfo } from './origin-info.js';
import { type Selection, selectionId } from './selection.js';

export type Depth = 'names' | 'packuments' | 'tarballs';

/** A bootstrap as the store remembers it, from its first request to its end, over any number of interruptions. */
export interface Run {
  id: string;
  origin: string;
  registry: string;
  depth: Depth;
  form: PackumentForm;
  selection: { kind: 'range'; startKey: string | null; endKey: string | null } | { kind: 'names'; count: number };
  /** Epoch milliseconds. A document confirmed since then needs no second look in this run. */
  startedAt: number;
  finishedAt?: number | undefined;
  /** The origin's root document before and after the listing: the sequence to follow from, and the count to prove by. */
  before?: OriginInfo | undefined;
  after?: OriginInfo | undefined;
  /** Rows that were no packages (design documents), which the origin counts all the same. */
  foreignRows?: number | undefined;
}

const PREFIX = 'v1:run:';

/** The id under which the same command finds its work again. */
export function runId(run: Pick<Run, 'origin' | 'registry' | 'depth' | 'form'>, selection: Selection): string {
  return fingerprint(JSON.stringify([run.origin, run.registry, run.depth, run.form, selectionId(selection)]));
}

export async function readRun(store: OrderedStore, id: string): Promise<Run | undefined> {
  const text = await store.get(PREFIX + hex(id));
  return text === undefined ? undefined : (JSON.parse(text) as Run);
}

export async function writeRun(store: OrderedStore, run: Run): Promise<void> {
  await store.commit([{ key: PREFIX + hex(run.id), value: JSON.stringify(run) }]);
}

/** All runs, the latest begun first. */
export async function listRuns(store: OrderedStore): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const [, text] of store.list(prefixRange(PREFIX))) runs.push(JSON.parse(text) as Run);
  return runs.sort((a, b) => b.startedAt - a.startedAt);
}

/** What the key of every run's row begins with. */
export const RUN_PREFIX: string = PREFIX;

/** What the keys of a run's marks begin with, by the run's row: the row and its marks belong together. */
export function markPrefixes(runKey: string): string[] {
  const id = unhex(runKey.slice(PREFIX.length)) ?? '';
  return [listSet(id), fetchSet(id), keepSet(id)].map(checkpointPrefix);
}

const listSet = (id: string) => `list:${id}`;
const fetchSet = (id: string) => `fetch:${id}`;
const keepSet = (id: string) => `tarballs:${id}`;

/** How far a run's listing is. */
export function listCheckpoint(cache: Cache, id: string): PartitionCheckpoint {
  return new PartitionCheckpoint(cache, listSet(id));
}

/** How far a run's fetching is. */
export function fetchCheckpoint(cache: Cache, id: string): PartitionCheckpoint {
  return new PartitionCheckpoint(cache, fetchSet(id));
}

/** How far a run's tarballs are. */
export function keepCheckpoint(cache: Cache, id: string): PartitionCheckpoint {
  return new PartitionCheckpoint(cache, keepSet(id));
}

/** How far a run is, by its marks. */
export async function runProgress(
  cache: Cache,
  { id }: Pick<Run, 'id'>,
): Promise<{ listed: PartitionProgress; fetched: PartitionProgress; kept: PartitionProgress }> {
  return {
    listed: await listCheckpoint(cache, id).getProgress(),
    fetched: await fetchCheckpoint(cache, id).getProgress(),
    kept: await keepCheckpoint(cache, id).getProgress(),
  };
}
