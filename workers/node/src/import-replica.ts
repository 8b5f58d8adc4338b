import { CacheError, type StorageDriver } from '@_all_docs/cache';
import { messageOf } from '@_all_docs/worker';
import type { DirectoryDriver } from './directory-driver.js';
import { importRows, type RowsResult } from './import-rows.js';
import type { ReplicaSource, SourceEntry } from './replica-source.js';

export interface ImportOptions {
  signal?: AbortSignal | undefined;
  report?: ((event: ImportEvent) => void) | undefined;
}

/** What an import tells while it works. */
export type ImportEvent =
  | { type: 'progress'; done: number; total: number; errors: number }
  | { type: 'error'; code: string; message: string; key: string };

/** What became of the source's entries; they are counted under one of these each. */
export interface ImportResult extends RowsResult {
  copied: number;
  /** There already with the same digest. */
  held: number;
  /** There already and confirmed by the origin later than the source's. */
  newer: number;
  /** Not copied: their bytes do not match their digest, or are gone. */
  damaged: number;
  /** Of the copied ones. */
  bytes: number;
}

/** How much is in memory and in one transaction at once. */
const MOST_ENTRIES = 256;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Copies all entries of a replica into another one, with metadata and digest, in the order of their keys; then its runs,
 * checkpoints and other rows, so that no mark is ever there before what it stands for. Stopped at any point, the same
 * call goes on: what is there with the same digest is not copied again. An entry or a run that the target has newer or by
 * itself stays. Damaged entries are reported and left out, and then so are runs and checkpoints, whose marks would be
 * wrong. Rejects with the signal's reason, with the target's write errors, or with `ERR_STORAGE_READ`.
 */
export async function importReplica(
  from: ReplicaSource,
  to: DirectoryDriver,
  { signal, report = () => {} }: ImportOptions = {},
): Promise<ImportResult> {
  const tally = { copied: 0, held: 0, newer: 0, damaged: 0, bytes: 0 };
  let done = 0;
  for (const entries of chunks(from.entries())) {
    signal?.throwIfAborted();
    await importEntries(entries, from, to, tally, report);
    done += entries.length;
    report({ type: 'progress', done, total: from.size, errors: tally.damaged });
  }
  from.assertUnchanged();
  signal?.throwIfAborted();
  return { ...tally, ...(await importRows(from, to.ordered, { marks: tally.damaged === 0 })) };
}

type Tally = Omit<ImportResult, keyof RowsResult>;

function* chunks(entries: Iterable<SourceEntry>): Iterable<SourceEntry[]> {
  let chunk: SourceEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (chunk.length === MOST_ENTRIES || (chunk.length > 0 && bytes + entry.metadata.size > MOST_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(entry);
    bytes += entry.metadata.size;
  }
  if (chunk.length > 0) yield chunk;
}

async function importEntries(
  entries: readonly SourceEntry[],
  from: ReplicaSource,
  to: StorageDriver,
  tally: Tally,
  report: (event: ImportEvent) => void,
): Promise<void> {
  const held = await Promise.all(entries.map(({ key }) => to.head(key)));
  const wanted = entries.filter(({ metadata }, i) => {
    const there = held[i];
    if (!there) return true;
    const same = there.digest === metadata.digest;
    if (same) tally.held += 1;
    else if (there.storedAt > metadata.storedAt) tally.newer += 1;
    return !same && there.storedAt <= metadata.storedAt;
  });
  const bodies = await Promise.all(wanted.map((entry) => wholeBody(entry, from, report)));
  // All writes end before the first failure is told: nothing goes on behind the caller's back.
  const writes = await Promise.allSettled(
    wanted.map(async ({ key, metadata }, i) => {
      const body = bodies[i];
      if (!body) return;
      await to.write(key, { body, metadata });
      tally.copied += 1;
      tally.bytes += body.length;
    }),
  );
  tally.damaged += bodies.filter((body) => body === undefined).length;
  const failed = writes.find((write) => write.status === 'rejected');
  if (failed) throw failed.reason;
}

async function wholeBody(
  entry: SourceEntry,
  from: ReplicaSource,
  report: (event: ImportEvent) => void,
): Promise<Uint8Array | undefined> {
  try {
    return await from.body(entry);
  } catch (error) {
    if (!(error instanceof CacheError) || error.code !== 'ERR_CORRUPT') throw error;
    report({ type: 'error', code: error.code, message: messageOf(error), key: entry.key });
    return undefined;
  }
}
