import { compareBytes } from '@_all_docs/cache';
import type { AllDocsRow } from './page.js';
import { compareRanges, type KeyRange } from './partition.js';
import { RowTable } from './row-table.js';

/** How many rows the origin said it had, before and after a pass, and how far its feed moved in between. */
export interface OriginCount {
  before: number;
  after: number;
  /** Changes between the two readings: the most rows that may have come or gone. */
  moved: number;
}

export interface CoverageProblem {
  kind: 'gap' | 'overlap' | 'missing' | 'order' | 'outside' | 'count' | 'total';
  message: string;
}

export interface CoverageReport {
  holds: boolean;
  partitions: number;
  rows: number;
  /** `undefined` where the pass covers a part of the names, which the origin does not count. */
  total: (OriginCount & { agrees: boolean }) | undefined;
  problems: CoverageProblem[];
}

/** A partition of a pass: its range, the rows it was marked complete with, and a way to its stored rows. */
export interface CoveredPartition extends KeyRange {
  rows: number | undefined;
}

const MOST_PROBLEMS = 100;

/**
 * The proof that a pass over `[startKey, endKey)` lost nothing: neighbours touch, every partition is held, its rows
 * are strictly increasing, inside its range and as many as were counted; the sum agrees with the origin's own count
 * within its movement. Nothing is assumed of how the pass was made.
 */
export async function proveCoverage(
  partitions: readonly CoveredPartition[],
  rowsOf: (range: KeyRange) => Promise<RowTable | readonly AllDocsRow[] | undefined>,
  whole: KeyRange,
  total?: OriginCount,
): Promise<CoverageReport> {
  const ordered = [...partitions].sort(compareRanges);
  const problems = touching(ordered, whole);
  let rows = 0;
  for (const partition of ordered) {
    const held = await rowsOf(partition);
    rows += held?.length ?? 0;
    for (const problem of checkRows(partition, held && RowTable.of(held))) {
      if (problems.length < MOST_PROBLEMS) problems.push(problem);
    }
  }
  const agreed = total && { ...total, agrees: agrees(rows, total) };
  if (agreed && !agreed.agrees) {
    problems.push({
      kind: 'total',
      message: `${rows} rows are held, but the origin counted ${total.before} before and ${total.after} after, with ${total.moved} changes in between`,
    });
  }
  return { holds: problems.length === 0, partitions: ordered.length, rows, total: agreed, problems };
}

function touching(ordered: readonly KeyRange[], whole: KeyRange): CoverageProblem[] {
  const problems: CoverageProblem[] = [];
  let previous: KeyRange | undefined;
  for (const range of ordered) {
    const at = previous ? previous.endKey : whole.startKey;
    if (range.startKey !== at) {
      const kind = isGap(range, previous, whole) ? 'gap' : 'overlap';
      problems.push({ kind, message: `${show(range)} should begin at ${JSON.stringify(at)}` });
    }
    previous = range;
  }
  if (!previous || previous.endKey !== whole.endKey) {
    const at = previous ? JSON.stringify(previous.endKey) : 'nothing';
    problems.push({ kind: 'gap', message: `the pass ends at ${at} instead of ${JSON.stringify(whole.endKey)}` });
  }
  return problems;
}

/** Whether names are left out before `range`: a `null` end is past every name, a `null` start before every name. */
function isGap(range: KeyRange, previous: KeyRange | undefined, whole: KeyRange): boolean {
  if (range.startKey === null || previous?.endKey === null) return false;
  const at = previous ? previous.endKey : whole.startKey;
  return at === null || compareBytes(range.startKey, at) > 0;
}

function* checkRows(partition: CoveredPartition, rows: RowTable | undefined): Iterable<CoverageProblem> {
  if (!rows) {
    yield { kind: 'missing', message: `${show(partition)} is not held` };
    return;
  }
  if (partition.rows !== undefined && partition.rows !== rows.length) {
    yield {
      kind: 'count',
      message: `${show(partition)} was completed with ${partition.rows} rows, ${rows.length} are held`,
    };
  }
  const [start, end] = [partition.startKey, partition.endKey].map((key) => (key === null ? undefined : utf8(key)));
  const quoted = (row: number) => JSON.stringify(rows.id(row));
  for (let row = 0; row < rows.length; row++) {
    const isInside = !(start && rows.compareId(row, start) < 0) && !(end && rows.compareId(row, end) >= 0);
    if (!isInside || !rows.hasId(row))
      yield { kind: 'outside', message: `${quoted(row)} does not belong to ${show(partition)}` };
    if (row > 0 && rows.compareIds(row - 1, row) >= 0)
      yield { kind: 'order', message: `${show(partition)}: ${quoted(row)} comes after ${quoted(row - 1)}` };
  }
}

function utf8(key: string): Uint8Array {
  return new TextEncoder().encode(key);
}

function agrees(rows: number, { before, after, moved }: OriginCount): boolean {
  return rows >= Math.min(before, after) - moved && rows <= Math.max(before, after) + moved;
}

function show({ startKey, endKey }: KeyRange): string {
  return `[${startKey ?? 'null'}-${endKey ?? 'null'}]`;
}
