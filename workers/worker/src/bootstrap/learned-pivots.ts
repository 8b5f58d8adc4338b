import { encodeOrigin, type OrderedStore } from '@_all_docs/cache';
import type { KeyRange } from '@_all_docs/partition';

function pivotsKey(origin: string): string {
  return `v1:pivots:${encodeOrigin(origin)}`;
}

/** Boundaries that the last whole pass found by splitting; none before the first one. */
export async function learnedPivots(store: OrderedStore, origin: string): Promise<string[]> {
  const text = await store.get(pivotsKey(origin));
  return text === undefined ? [] : (JSON.parse(text) as string[]);
}

/** Remembers how a pass over all names was cut, so that the next one can list its parts side by side. */
export async function learnPivots(
  store: OrderedStore,
  origin: string,
  whole: KeyRange,
  parts: readonly KeyRange[],
): Promise<void> {
  if (whole.startKey !== null || whole.endKey !== null) return;
  const pivots = parts.flatMap(({ startKey }) => (startKey === null ? [] : [startKey]));
  await store.commit([{ key: pivotsKey(origin), value: JSON.stringify(pivots) }]);
}
