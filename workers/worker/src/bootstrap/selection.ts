import { compareBytes, fingerprint } from '@_all_docs/cache';
import { inRange, type KeyRange, Partition } from '@_all_docs/partition';

/** A range of the origin's names, cut by pivots where given. */
export interface RangeSelection extends KeyRange {
  kind: 'range';
  pivots?: readonly string[] | undefined;
  /** Where to cut as long as no pass has learned it; what passes have learned goes before these. */
  firstPivots?: readonly string[] | undefined;
}

/** A version whose tarball is wanted, and what else than the document's word it must be. */
export interface WantedVersion {
  version: string;
  /** Subresource-integrity string. */
  integrity?: string | undefined;
}

/** The versions that are wanted, by package. */
export type WantedVersions = ReadonlyMap<string, readonly WantedVersion[]>;

/** A sorted list of names; of each only some versions, where they are told. */
export interface NameSelection {
  kind: 'names';
  names: readonly string[];
  versions?: WantedVersions | undefined;
}

/** Which packages: a range of names, or a sorted list of them. */
export type Selection = RangeSelection | NameSelection;

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
  const { names, versions } = selection;
  if (!versions) return fingerprint(JSON.stringify(['names', ...names]));
  return fingerprint(JSON.stringify(['versions', ...names.map((name) => [name, versions.get(name)])]));
}

/** Sorted by bytes, each name once. */
export function nameList(names: Iterable<string>): NameSelection {
  return { kind: 'names', names: [...new Set(names)].sort(compareBytes) };
}

/** The packages of these versions, and of them no other version. */
export function versionList(packages: Iterable<WantedVersion & { name: string }>): NameSelection {
  const versions = new Map<string, WantedVersion[]>();
  for (const { name, version, integrity } of packages) {
    const known = versions.get(name) ?? [];
    versions.set(name, known);
    const isKnown = known.some((other) => other.version === version && other.integrity === integrity);
    if (!isKnown) known.push({ version, integrity });
  }
  const order = (a: WantedVersion, b: WantedVersion) =>
    compareBytes(a.version, b.version) || compareBytes(a.integrity ?? '', b.integrity ?? '');
  for (const list of versions.values()) list.sort(order);
  return { kind: 'names', names: [...versions.keys()].sort(compareBytes), versions };
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
