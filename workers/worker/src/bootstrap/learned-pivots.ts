import { encodeOrigin, type OrderedStore } from '@_all_docs/cache';
import type { PartitionRecord } from '@_all_docs/checkpoint';
import { addPivots, type KeyRange, mergeSmall, PAGE_LIMIT } from '@_all_docs/partition';
import type { Run } from './run.js';
import type { RangeSelection } from './selection.js';

interface Learned {
  pivots: string[];
  /** When the pass began that found them, or when somebody set them. */
  at: number;
  /** Those among them that somebody set. */
  taught?: string[];
}

/**
 * A partition of many pages is listed as a chain: one request a page, and one or two more at its end. Were each page that
 * a pass finds cut off for good, the next pass would ask two or three times for each, and more often the more they grow. So
 * many chains cost some forty requests more than one, and are enough to keep as many under way as the pace allows.
 */
const MOST_CHAINS = 20;
/** What grows out of a page a little is no chain of its own. */
const LEAST_ROWS = 1.5 * PAGE_LIMIT;

/** Where the next pass over all names is cut, as the last one found it and as was set since; nowhere before the first one. */
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
 * Remembers where to cut the next pass over all names, so that it can list its parts side by side: at those boundaries of
 * this one that leave about {@link MOST_CHAINS} parts or fewer, and at those that somebody set, unless they
 * leave less than half a page. What was learned from a later pass is kept.
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
  const total = counted.reduce((sum, { rows = 0 }) => sum + rows, 0);
  const most = Math.max(LEAST_ROWS, total / MOST_CHAINS);
  await update(store, origin, (learned) => {
    if (learned && learned.at > startedAt) return learned;
    const taught = new Set(learned?.taught);
    const pivots = mergeSmall(counted, most, taught).flatMap(({ startKey }) => (startKey === null ? [] : [startKey]));
    return { pivots, at: startedAt, taught: pivots.filter((pivot) => taught.has(pivot)) };
  });
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
    taught: addPivots(learned?.taught ?? [], added),
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
