import { prefixRange } from '@_all_docs/cache';
import { BLOB_PREFIX, type BlobRow, INDEX_PREFIXES, type IndexRow } from '@_all_docs/content';
import { DERIVED_PREFIX } from '@_all_docs/registry';
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { INDEX } from './cache-directory.js';
import type { DirectoryDriver } from './directory-driver.js';
import { directorySize } from './directory-size.js';

interface Held {
  entries: number;
  /** As stored: compressed. */
  bytes: number;
}

/** What a replica holds, and what that takes. */
export interface ReplicaSize extends Held {
  /** Package documents, of either form. They and the derived ones are among all entries. */
  documents: Held;
  /** Documents made of others for clients; made again when they are gone. */
  derived: Held;
  tarballs: HeldTarballs;
  /** The index file with its log; where the store is `sqlite` it holds the bodies, too. */
  indexBytes: number;
  /** All of the directory on its disk, and of the one of the blobs where that is another. */
  diskBytes: number;
  files: number;
}

interface HeldTarballs {
  /** Tarballs of versions, each a row that refers to a blob; and those of them that are never evicted. */
  rows: number;
  pinned: number;
  /** Blobs that rows refer to, and the bytes of their content. */
  blobs: number;
  bytes: number;
  /** What the folder of all blobs takes on its disk. */
  diskBytes: number;
}

const DOCUMENT = /^v1:(?:packument|abbreviated):/;

/** Counts what is in a replica. Its blobs lie in `blobsIn`, its own directory unless told. Rejects with the signal's reason. */
export async function measureReplica(
  storage: DirectoryDriver,
  { blobsIn = storage.cachePath, signal }: { blobsIn?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ReplicaSize> {
  const all = { entries: 0, bytes: 0 };
  const documents = { ...all };
  const derived = { ...all };
  for await (const key of storage.list()) {
    signal?.throwIfAborted();
    const size = (await storage.head(key))?.size ?? 0;
    add(all, size);
    if (DOCUMENT.test(key)) add(documents, size);
    else if (key.startsWith(DERIVED_PREFIX)) add(derived, size);
  }
  const tarballs = await measureTarballs(storage, blobsIn, signal);
  const indexBytes = ['', '-wal', '-shm'].reduce((sum, end) => sum + fileSize(join(storage.cachePath, INDEX + end)), 0);
  const disk = await directorySize(storage.cachePath);
  if (resolve(blobsIn) !== resolve(storage.cachePath)) {
    const other = await directorySize(blobsIn);
    disk.bytes += other.bytes;
    disk.files += other.files;
  }
  return { ...all, documents, derived, tarballs, indexBytes, diskBytes: disk.bytes, files: disk.files };
}

async function measureTarballs(
  { ordered }: DirectoryDriver,
  blobsIn: string,
  signal: AbortSignal | undefined,
): Promise<HeldTarballs> {
  const tarballs: HeldTarballs = { rows: 0, pinned: 0, blobs: 0, bytes: 0, diskBytes: 0 };
  for (const prefix of INDEX_PREFIXES) {
    for await (const [, text] of ordered.list(prefixRange(prefix))) {
      signal?.throwIfAborted();
      tarballs.rows += 1;
      if ((JSON.parse(text) as IndexRow).pinned) tarballs.pinned += 1;
    }
  }
  for await (const [, text] of ordered.list(prefixRange(BLOB_PREFIX))) {
    signal?.throwIfAborted();
    const { refs, size } = JSON.parse(text) as BlobRow;
    if (refs === 0) continue;
    tarballs.blobs += 1;
    tarballs.bytes += size;
  }
  tarballs.diskBytes = (await directorySize(join(blobsIn, 'blobs'))).bytes;
  return tarballs;
}

function add(held: Held, size: number): void {
  held.entries += 1;
  held.bytes += size;
}

function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
