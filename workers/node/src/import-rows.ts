import type { OrderedStore, RowChange } from '@_all_docs/cache';
import { BLOB_PREFIX, INDEX_PREFIXES } from '@_all_docs/content';
import {
  ABSENT_PREFIX,
  DERIVED_LEDGER_PREFIX,
  FLIGHT_PREFIX,
  PULLED_PREFIX,
  RESOURCE_LEDGER_PREFIX,
} from '@_all_docs/registry';
import { BUDGET_PREFIX, checkpointPrefix, markPrefixes, OWNER_PREFIX, RUN_PREFIX } from '@_all_docs/worker';
import { ENTRY, STORE_KEY } from './cache-directory.js';
import type { ReplicaSource } from './replica-source.js';

export interface RowsResult {
  /** Runs that were copied with all their marks. */
  runs: number;
  /** All rows that were copied, those of the runs included. */
  rows: number;
}

/** What is true of one directory or one process only: its index, its kind, its budget, who works in it, what may go. */
const OWN = [
  ENTRY,
  STORE_KEY,
  OWNER_PREFIX,
  BUDGET_PREFIX,
  FLIGHT_PREFIX,
  PULLED_PREFIX,
  DERIVED_LEDGER_PREFIX,
  RESOURCE_LEDGER_PREFIX,
  ABSENT_PREFIX,
];
/** Rows that come another way: with their blobs, or with their runs. */
const ELSEWHERE = [BLOB_PREFIX, ...INDEX_PREFIXES, RUN_PREFIX, checkpointPrefix()];
const LEFT_OUT = [...OWN, ...ELSEWHERE];
const BATCH = 256;

/**
 * Copies what a replica knows beside its entries. A row that is there already stays; a run and its marks are taken
 * together or not at all, and so are the marks of a set: half of one and half of another would prove nothing.
 */
export async function importRows(
  from: ReplicaSource,
  to: OrderedStore,
  { marks }: { marks: boolean },
): Promise<RowsResult> {
  const result: RowsResult = { runs: 0, rows: 0 };
  if (marks) await importMarks(from, to, result);
  let batch: RowChange[] = [];
  const flush = async () => {
    const done = await Promise.all(batch.map((row) => to.commit([row], [{ key: row.key, value: undefined }])));
    result.rows += done.filter(Boolean).length;
    batch = [];
  };
  for (const [key, value] of from.rows()) {
    if (LEFT_OUT.some((prefix) => key.startsWith(prefix))) continue;
    batch.push({ key, value });
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return result;
}

async function importMarks(from: ReplicaSource, to: OrderedStore, result: RowsResult): Promise<void> {
  const settled = new Set<string>();
  for (const [key, value] of from.rows(RUN_PREFIX)) {
    const sets = markPrefixes(key);
    for (const set of sets) settled.add(set);
    const changes = [{ key, value }, ...sets.flatMap((set) => [...marksOf(from, set)])];
    if (!(await to.commit(changes, [{ key, value: undefined }]))) continue;
    result.runs += 1;
    result.rows += changes.length;
  }
  for (const set of setsOf(from)) {
    const current = { key: `${set}current`, value: undefined };
    const changes = [...marksOf(from, set)];
    if (!settled.has(set) && (await to.commit(changes, [current]))) result.rows += changes.length;
  }
}

/** Prefixes of all sets of marks. */
function* setsOf(from: ReplicaSource): Iterable<string> {
  let last = '';
  for (const [key] of from.rows(checkpointPrefix())) {
    const set = key.slice(0, key.indexOf(':', checkpointPrefix().length) + 1);
    if (set !== last) yield set;
    last = set;
  }
}

/** A set's rows without leases: whoever held one does not work here. */
function* marksOf(from: ReplicaSource, set: string): Iterable<RowChange> {
  for (const [key, value] of from.rows(set)) {
    yield { key, value: value.includes('"lease"') ? withoutLease(value) : value };
  }
}

function withoutLease(value: string): string {
  const { lease: _, ...row } = JSON.parse(value);
  return JSON.stringify(row);
}
