import { createStorageDriver, type OrderedStore, type StorageDriver } from '@_all_docs/cache';
import { BlobIndex } from '@_all_docs/content';
import { PackumentClient, type PackumentForm } from '@_all_docs/packument';
import type { KeyRange } from '@_all_docs/partition';
import { inRange } from '@_all_docs/partition';
import { ChangedDocuments, PulledDocuments } from '@_all_docs/registry';
import { listRuns } from '../bootstrap/run.js';
import { WorkerError } from '../errors.js';
import type { Env } from '../interfaces.js';

/** Where a replica keeps one form of the documents of one registry, and what it knows of them. */
export interface ReplicaStores {
  env: Env;
  storage: StorageDriver;
  store: OrderedStore;
  packuments: PackumentClient;
  changed: ChangedDocuments;
}

/** What following a feed works on. */
export interface Replica extends ReplicaStores {
  /** Ranges whose documents a bootstrap was asked for: what is new there is wanted. */
  wanted: readonly KeyRange[];
  /** The ranges that were listed, or are being listed anew, and the sequence that the feed was at before. */
  listed: readonly ListedRange[];
}

interface ListedRange extends KeyRange {
  updateSeq: number | undefined;
}

/** Opens a replica for following. `ERR_NO_ORDERED_STORE` where rows cannot be kept. */
export async function openReplica(env: Env, form: PackumentForm): Promise<Replica> {
  const stores = await openStores(env, form);
  return { ...stores, ...(await rangesOf(env, stores.store, form)) };
}

/** {@link openReplica} for those who do not ask which ranges it has: nothing is read. */
export async function openStores(env: Env, form: PackumentForm): Promise<ReplicaStores> {
  const storage = await createStorageDriver(env);
  const store = env.ordered ?? storage.ordered;
  if (!store)
    throw new WorkerError(
      'ERR_NO_ORDERED_STORE',
      'a feed needs an ordered store for its cursor; use a driver with an index',
    );
  const parts = { ...env, storage, ordered: store };
  const packuments = new PackumentClient({ env: parts, form });
  const pulled = new PulledDocuments({
    env: parts,
    client: packuments,
    // Whoever serves keeps them within bounds.
    limit: Number.POSITIVE_INFINITY,
    onTrouble: (error) =>
      env.logger?.warn?.('the account of what was pulled through is in trouble', { error: String(error) }),
  });
  const tarballs = env.blobs && new BlobIndex({ ordered: store, store: env.blobs, clock: env.clock });
  const changed = new ChangedDocuments({ env: parts, client: packuments, tarballs, pulled });
  return { env, storage, store, packuments, changed };
}

async function rangesOf(
  env: Env,
  store: OrderedStore,
  form: PackumentForm,
): Promise<Pick<Replica, 'wanted' | 'listed'>> {
  const runs = (await listRuns(store)).filter(
    ({ origin, registry }) => origin === env.origin && registry === env.registry,
  );
  const wanted: KeyRange[] = [];
  const listed: ListedRange[] = [];
  for (const { selection, depth, form: kept, before } of runs) {
    if (selection.kind !== 'range') continue;
    const { startKey, endKey } = selection;
    if (depth !== 'names' && kept === form) wanted.push({ startKey, endKey });
    // Also one that was interrupted: a comparison that is taken up again must not leave its range out.
    listed.push({ startKey, endKey, updateSeq: before?.updateSeq });
  }
  return { wanted, listed };
}

/** Whether a name lies in one of the ranges. */
export function isIn(name: string, ranges: readonly KeyRange[]): boolean {
  return ranges.some((range) => inRange(name, range));
}
