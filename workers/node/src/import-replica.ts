import { CacheError, type StorageDriver } from '@_all_docs/cache';
import { BlobIndex } from '@_all_docs/content';
import type { Clock } from '@_all_docs/http';
import { DERIVED_PREFIX, RESOURCE_PREFIX } from '@_all_docs/registry';
import { messageOf } from '@_all_docs/worker';
import { systemClock } from './clock.js';
import type { DirectoryDriver } from './directory-driver.js';
import { entryChunks } from './entry-chunks.js';
import { type Damage, type ImportedBlobs, importBlobs } from './import-blobs.js';
import { importRows, type RowsResult } from './import-rows.js';
import { assertHasBlobs, blobsAt, openBlobs } from './open-blobs.js';
import type { ReplicaSource, SourceEntry } from './replica-source.js';
import type { Durability } from './sqlite-file.js';

export interface ImportOptions {
  /** Where the source's blobs lie, and where they go to; the replicas' directories unless told. */
  fromStorage?: string | undefined;
  storage?: string | undefined;
  durability?: Durability | undefined;
  clock?: Pick<Clock, 'now' | 'sleep'> | undefined;
  signal?: AbortSignal | undefined;
  report?: ((event: ImportEvent) => void) | undefined;
}

/** What an import tells while it works. */
export type ImportEvent =
  | { type: 'progress'; done: number; total: number; errors: number }
  | ({ type: 'error' } & Damage);

/** What became of the source's entries; those that are copied at all are counted under one of these each. */
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
  tarballs: ImportedBlobs;
}

/** Derived, or kept for a while only: whoever needs it makes it or asks for it again. */
const PASSING = [DERIVED_PREFIX, RESOURCE_PREFIX];

/**
 * Copies all entries of a replica into another one, with metadata and digest, in the order of their keys; then its
 * tarballs; then its runs, checkpoints and other rows, so that no mark is ever there before what it stands for. Stopped
 * at any point, the same call goes on: what is there with the same digest is not copied again. An entry, a tarball or a
 * run that the target has newer or by itself stays. What is damaged is reported and left out, and then so are runs and
 * checkpoints, whose marks would be wrong. Whoever imports wants to keep what he gets: what was pulled through at the
 * source is never evicted here. Left out is what was derived. Rejects with the signal's reason, with the target's write
 * errors, or with `ERR_STORAGE_READ`.
 */
export async function importReplica(
  from: ReplicaSource,
  to: DirectoryDriver,
  { fromStorage = from.path, storage = to.cachePath, durability, clock = systemClock, ...options }: ImportOptions = {},
): Promise<ImportResult> {
  const { signal, report = () => {} } = options;
  const { references } = from;
  if (references > 0) assertHasBlobs(fromStorage, '--from-storage');
  const total = from.size + references;
  const tally = { copied: 0, held: 0, newer: 0, damaged: 0, bytes: 0 };
  let done = 0;
  for (const entries of entryChunks(from.entries())) {
    signal?.throwIfAborted();
    const lasting = entries.filter(({ key }) => !PASSING.some((prefix) => key.startsWith(prefix)));
    await importEntries(lasting, from, to, tally, report);
    done += entries.length;
    report({ type: 'progress', done, total, errors: tally.damaged });
  }
  const blobs = await openBlobs(to.cachePath, { storage, durability, clock });
  try {
    const index = new BlobIndex({ ordered: to.ordered, store: blobs.store, clock });
    const onRow = ({ damaged }: ImportedBlobs, damage?: Damage) => {
      if (damage) report({ type: 'error', ...damage });
      done += 1;
      report({ type: 'progress', done, total, errors: tally.damaged + damaged });
    };
    const source = { source: from, blobs: blobsAt(fromStorage) };
    const tarballs = await importBlobs(source, { index, blobs }, { signal, onRow });
    from.assertUnchanged();
    signal?.throwIfAborted();
    const marks = tally.damaged + tarballs.damaged === 0;
    return { ...tally, tarballs, ...(await importRows(from, to.ordered, { marks })) };
  } finally {
    blobs.close();
  }
}

type Tally = Omit<ImportResult, keyof RowsResult | 'tarballs'>;

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
