import { encodeOrigin, type OrderedStore } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { addPivots, type KeyRange, mergeSmall } from '@_all_docs/partition';
import type { Run } from './run.js';
import type { RangeSelection } from './selection.js';

interface Learned {
  pivots: string[];
  /** When the pass began that found them, or when somebody set them. */
  at: number;
}

/** Boundaries that the last whole pass found by splitting; none before the first one. */
export async function learnedPivots(store: OrderedStore, origin: string): Promise<string[]> {
  return (await readLearned(store, origin)).learned?.pivots ?? [];
}

/** How a pass over this selection is cut: as it says itself, else as passes have learned, else at its first pivots. */
export async function pivotsFor(
  store: OrderedStore,
  origin: string,
  { pivots, firstPivots = [] }: Pick<RangeSelection, 'pivots' | 'firstPivots'>,
): Promise<readonly string[]> {
  return pivots ?? (await readLearned(store, origin)).learned?.pivots ?? firstPivots;
}

/**
 * Remembers how a pass over all names was cut, so that the next one can list its parts side by side. Boundaries between
 * partitions that together hold few rows are dropped. What was learned from a later pass is kept.
 */
export async function learnPivots(
  store: OrderedStore,
  { origin, startedAt }: Pick<Run, 'origin' | 'startedAt'>,
  whole: KeyRange,
  parts: readonly PartitionRecord[],
): Promise<void> {
  if (whole.startKey !== null || whole.endKey !== null) return;
  const counted = parts.map(({ startKey, endKey, state, rows }) => ({
    startKey,
    endKey,
    rows: state === 'complete' ? rows : undefined,
  }));
  const pivots = mergeSmall(counted).flatMap(({ startKey }) => (startKey === null ? [] : [startKey]));
  await update(store, origin, (learned) => (learned && learned.at > startedAt ? learned : { pivots, at: startedAt }));
}

/** Adds boundaries to those learned (to `first` where none are) and gives all of them. `ERR_BAD_PIVOTS` when one cannot be a boundary. */
export async function teachPivots(
  store: OrderedStore,
  origin: string,
  added: readonly string[],
  { now, first = [] }: { now: number; first?: readonly string[] | undefined },
): Promise<string[]> {
  const { pivots } = await update(store, origin, (learned) => ({
    pivots: addPivots(learned?.pivots ?? first, added),
    at: now,
  }));
  return pivots;
}

async function update(
  store: OrderedStore,
  origin: string,
  change: (learned: Learned | undefined) => Learned,
): Promise<Learned> {
  for (;;) {
    const { text, learned } = await readLearned(store, origin);
    const next = change(learned);
    const key = pivotsKey(origin);
    if (await store.commit([{ key, value: JSON.stringify(next) }], [{ key, value: text }])) return next;
  }
}

async function readLearned(
  store: OrderedStore,
  origin: string,
): Promise<{ text: string | undefined; learned: Learned | undefined }> {
  const text = await store.get(pivotsKey(origin));
  const value: string[] | Learned | undefined = text === undefined ? undefined : JSON.parse(text);
  // The first replicas kept the bare list.
  return { text, learned: Array.isArray(value) ? { pivots: value, at: 0 } : value };
}

function pivotsKey(origin: string): string {
  return `v1:pivots:${encodeOrigin(origin)}`;
}
