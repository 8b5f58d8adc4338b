import {
  createPartitionKey,
  createStorageDriver,
  encodeOrigin,
  type OrderedStore,
  type StorageEnv,
} from '@_all_docs/cache';
import type { KeyRange } from '@_all_docs/partition';
import { type Sequences, shiftFor } from './sequences.js';

/** One stored partition; it ends where the next one begins. */
export interface PublishedPart {
  startKey: string | null;
  rows: number;
  /** Of the stored bytes: tells whether they are still those of this listing. */
  digest: string;
}

/** A whole listing that was proven complete: what a replica may show to others. */
export interface PublishedListing extends Omit<Sequences, 'updateSeq'> {
  /** `undefined` where the origin has no feed. */
  updateSeq: number | undefined;
  /** Epoch milliseconds at which it was proven. */
  at: number;
  parts: PublishedPart[];
}

export interface ListingToPublish {
  origin: string;
  /** Read before the listing began. */
  updateSeq: number | undefined;
  /** Of the whole listing, in order. */
  partitions: readonly (KeyRange & { rows: number })[];
  at: number;
}

/** What the keys of all published listings begin with. */
export const LISTING_PREFIX = 'v1:listing:';

/** The listing of an origin that may be shown; `undefined` when none was ever complete. */
export async function readListing(store: OrderedStore, origin: string): Promise<PublishedListing | undefined> {
  return (await read(store, origin)).listing;
}

/**
 * Makes a proven listing the one that is shown, in one transaction, once all its partitions are stored. A listing that
 * is the same as the one before keeps its generation: cursors that were given out stay good.
 * `undefined`, and nothing changes, when a partition is not held or the listing is not a whole one.
 */
export async function publishListing(
  env: StorageEnv & { ordered: OrderedStore },
  { origin, updateSeq, partitions, at }: ListingToPublish,
): Promise<PublishedListing | undefined> {
  if (partitions[0]?.startKey !== null || partitions.at(-1)?.endKey !== null) return undefined;
  const storage = await createStorageDriver(env);
  const parts: PublishedPart[] = [];
  for (const { startKey, endKey, rows } of partitions) {
    const digest = (await storage.head(createPartitionKey(startKey, endKey, origin)))?.digest;
    if (digest === undefined) return undefined;
    parts.push({ startKey, rows, digest });
  }
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  for (;;) {
    const { key, text, listing: before } = await read(env.ordered, origin);
    const isSame = JSON.stringify(before?.parts) === JSON.stringify(parts);
    const generation = before ? before.generation + (isSame ? 0 : 1) : 0;
    const shift = shiftFor(rows, updateSeq ?? 0, before?.shift);
    const listing: PublishedListing = { rows, updateSeq, shift, generation, at, parts };
    if (await env.ordered.commit([{ key, value: JSON.stringify(listing) }], [{ key, value: text }])) return listing;
  }
}

async function read(
  store: OrderedStore,
  origin: string,
): Promise<{ key: string; text: string | undefined; listing: PublishedListing | undefined }> {
  const key = LISTING_PREFIX + encodeOrigin(origin);
  const text = await store.get(key);
  return { key, text, listing: text === undefined ? undefined : JSON.parse(text) };
}
