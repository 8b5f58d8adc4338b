import { compareBytes, fingerprint } from '@_all_docs/cache';
import { inRange, type KeyRange, Partition } from '@_all_docs/partition';

/** A range of the origin's names, cut by pivots where given. */
export interface RangeSelection extends KeyRange {
  kind: 'range';
  pivots?: readonly string[] | undefined;
  /** Where to cut as long as no pass has learned it; what passes have learned goes before these. */
  firstPivots?: readonly string[] | undefined;
}

/** Which packages: a range of names, or a sorted list of them. */
export type Selection = RangeSelection | { kind: 'names'; names: readonly string[] };

/** All names of the origin. */
export const EVERYTHING: RangeSelection = { kind: 'range', startKey: null, endKey: null };

/** Names of one list that are fetched under one mark of the checkpoint. */
const CHUNK = 250;

/** The range of all packages of a scope: `@types` or `types` is `['@types/', '@types0')`, as `0` follows `/`. */
export function scopeSelection(scope: string): RangeSelection {
  const name = scope.startsWith('@') ? scope : `@${scope}`;
  return { kind: 'range', startKey: `${name}/`, endKey: `${name}0` };
}

/** What tells this selection from another one; pivots do not: they only say how it is cut. */
export function selectionId(selection: Selection): string {
  if (selection.kind === 'range') return fingerprint(JSON.stringify(['range', selection.startKey, selection.endKey]));
  return fingerprint(JSON.stringify(['names', ...selection.names]));
}

/** Sorted by bytes, each name once. */
export function nameList(names: Iterable<string>): Selection {
  return { kind: 'names', names: [...new Set(names)].sort(compareBytes) };
}

/** The partitions of a range: cut at those pivots that lie inside it. `ERR_BAD_PIVOTS` for pivots that cannot be used. */
export function rangePartitions(range: KeyRange, pivots: readonly string[], origin: string): Partition[] {
  const all = Partition.fromPivots(pivots, origin);
  const inner = all.flatMap(({ endKey }) =>
    endKey !== null && endKey !== range.startKey && inRange(endKey, range) ? [endKey] : [],
  );
  const starts = [range.startKey, ...inner];
  return starts.map((startKey, i) => new Partition({ startKey, endKey: inner[i] ?? range.endKey }, origin));
}

/** Ranges that hold a sorted list of names in portions. */
export function chunkPartitions(names: readonly string[]): KeyRange[] {
  const starts: (string | null)[] = [null];
  for (let i = CHUNK; i < names.length; i += CHUNK) starts.push(names[i] as string);
  return starts.map((startKey, i) => ({ startKey, endKey: starts[i + 1] ?? null }));
}
