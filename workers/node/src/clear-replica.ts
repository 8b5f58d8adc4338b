import { prefixRange } from '@_all_docs/cache';
import { BLOB_PREFIX, BlobIndex, INDEX_PREFIXES, type IndexRow } from '@_all_docs/content';
import type { Clock } from '@_all_docs/http';
import { type ClearedPulled, clearPulled } from '@_all_docs/registry';
import { BUDGET_PREFIX, OWNER_PREFIX } from '@_all_docs/worker';
import { STORE_KEY } from './cache-directory.js';
import type { DirectoryDriver } from './directory-driver.js';
import { inParallel } from './in-parallel.js';
import type { OpenBlobs } from './open-blobs.js';
import { reclaimSpace } from './reclaim-space.js';

/** What was removed, counted. */
export interface ClearedReplica extends ClearedPulled {
  /** Entries that were brought to stay: package documents, lists of names. */
  entries: number;
  /** Rows of runs, checkpoints and failures. */
  rows: number;
  blobs: number;
  blobBytes: number;
}

export interface ClearOptions {
  /** Also what was brought to stay, and all that is known of runs. */
  all?: boolean | undefined;
  clock: Pick<Clock, 'now' | 'sleep'>;
  signal?: AbortSignal | undefined;
}

/** What an empty replica still has: its kind, the month's count of requests, who works in it; and what goes another way. */
const STAYS = [STORE_KEY, BUDGET_PREFIX, OWNER_PREFIX, BLOB_PREFIX, ...INDEX_PREFIXES];
/** Changes that are under way together share transactions. */
const AT_ONCE = 256;
/** A blob that was stored so lately and is not linked yet is somebody's who works here, too. */
const ORPHAN_GRACE_MS = 10 * 60_000;

/**
 * Removes what may be evicted, or everything, and gives the room back to the disk. May run beside a server, which then
 * asks its registry again. Stopped at any point, the same call goes on. Rejects with the store's error, or the signal's reason.
 */
export async function clearReplica(
  storage: DirectoryDriver,
  blobs: OpenBlobs,
  { all = false, clock, signal }: ClearOptions,
): Promise<ClearedReplica> {
  const { ordered } = storage;
  const index = new BlobIndex({ ordered, store: blobs.store, clock });
  const cleared: ClearedReplica = {
    documents: 0,
    tarballs: 0,
    derived: 0,
    resources: 0,
    entries: 0,
    rows: 0,
    blobs: 0,
    blobBytes: 0,
  };
  Object.assign(cleared, await clearPulled({ storage, ordered, index }, { signal }));
  if (all) await clearKept(storage, index, cleared, signal);
  const swept = await index.sweep({ graceMs: 0 });
  cleared.blobs += swept.blobs;
  cleared.blobBytes += swept.bytes;
  if (blobs.own) {
    const orphans = await index.sweep({ graceMs: all ? 0 : ORPHAN_GRACE_MS, orphans: true });
    cleared.blobs += orphans.blobs;
    cleared.blobBytes += orphans.bytes;
  }
  await reclaimSpace(storage, clock.now());
  return cleared;
}

/** Marks before what they stand for: stopped half-way, nothing is believed to be there that is gone. */
async function clearKept(
  storage: DirectoryDriver,
  index: BlobIndex,
  cleared: ClearedReplica,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { ordered } = storage;
  await inParallel(ordered.list(prefixRange('v1:')), AT_ONCE, async ([key]) => {
    signal?.throwIfAborted();
    if (STAYS.some((prefix) => key.startsWith(prefix))) return;
    await ordered.commit([{ key, value: undefined }]);
    cleared.rows += 1;
  });
  await inParallel(storage.list(), AT_ONCE, async (key) => {
    signal?.throwIfAborted();
    await storage.delete(key);
    cleared.entries += 1;
  });
  for (const prefix of INDEX_PREFIXES) {
    await inParallel(ordered.list(prefixRange(prefix)), AT_ONCE, async ([key, text]) => {
      signal?.throwIfAborted();
      const { at } = JSON.parse(text) as IndexRow;
      await index.unlink(key, { at });
      cleared.tarballs += 1;
    });
  }
}
