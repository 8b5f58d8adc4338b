import {
  BLOB_PREFIX,
  type BlobEncoding,
  type BlobIndex,
  type BlobRow,
  ContentError,
  Hash,
  INDEX_PREFIXES,
  type IndexRow,
} from '@_all_docs/content';
import { inParallel } from './in-parallel.js';
import type { OpenBlobs } from './open-blobs.js';
import type { ReplicaSource } from './replica-source.js';

/** What became of the source's tarballs; they are counted under one of `copied`, `held`, `newer` and `damaged` each. */
export interface ImportedBlobs {
  copied: number;
  /** There already, with the same blob. */
  held: number;
  /** Linked here to another blob later than at the source. */
  newer: number;
  /** Not copied: the blob's bytes are not those of its hash, or are gone. */
  damaged: number;
  /** Of the blobs that were brought, each once; and how many of them have a second name now in place of a copy. */
  bytes: number;
  linked: number;
}

/** Blobs on their way at once. */
const AT_ONCE = 4;
/** Blobs whose rows that follow need not ask for them again. */
const MOST_BROUGHT = 10_000;

type Blobs = Pick<OpenBlobs, 'store' | 'backend'>;
interface Brought {
  size: number;
  encoding: BlobEncoding;
  linked: boolean;
}

type Row = [key: string, text: string];

/**
 * Copies every row that refers to a blob, and its blob before it: by another name of the same file where the file system
 * allows that. Each blob is read and hashed first. Whoever imports wants to keep what he gets: all rows come out pinned.
 */
export async function importBlobs(
  from: { source: ReplicaSource; blobs: Blobs },
  to: { index: BlobIndex; blobs: Blobs },
  { signal, onRow }: { signal?: AbortSignal | undefined; onRow: (done: ImportedBlobs, error?: Damage) => void },
): Promise<ImportedBlobs> {
  const tally: ImportedBlobs = { copied: 0, held: 0, newer: 0, damaged: 0, bytes: 0, linked: 0 };
  const brought = new Map<string, Promise<Brought>>();
  for (const prefix of INDEX_PREFIXES) {
    await inParallel(from.source.rows(prefix), AT_ONCE, async (row: Row) => {
      signal?.throwIfAborted();
      try {
        await importRow(row, from, to, tally, brought);
        onRow(tally);
      } catch (error) {
        if (!(error instanceof ContentError)) throw error;
        tally.damaged += 1;
        onRow(tally, { code: error.code, message: `${error.message} (in ${from.source.path})`, key: row[0] });
      }
    });
  }
  return tally;
}

export interface Damage {
  code: string;
  message: string;
  key: string;
}

async function importRow(
  [key, text]: Row,
  from: { source: ReplicaSource; blobs: Blobs },
  to: { index: BlobIndex; blobs: Blobs },
  tally: ImportedBlobs,
  brought: Map<string, Promise<Brought>>,
): Promise<void> {
  // What eviction notes is of no use to a row that is never evicted.
  const { blob, size: _size, at, pinned: _pinned, accessedAt, hits, mainAt, ...row } = JSON.parse(text) as IndexRow;
  const hash = Hash.parse(blob);
  const there = await to.index.get(key);
  const same = there?.blob === blob && (await to.blobs.store.has(hash));
  if (same && there.pinned) {
    tally.held += 1;
    return;
  }
  if (there && there.blob !== blob && there.at > at) {
    tally.newer += 1;
    return;
  }
  const counted = from.source.row(BLOB_PREFIX + hash.id);
  const packed = counted !== undefined && (JSON.parse(counted) as BlobRow).encoding === 'zstd';
  const known = brought.get(hash.id);
  const bringing = known ?? bring(hash, packed, from.blobs, to.blobs);
  const [oldest] = brought.keys();
  if (brought.size >= MOST_BROUGHT && oldest !== undefined) brought.delete(oldest);
  brought.set(hash.id, bringing);
  const { linked, ...stored } = await bringing;
  if (!known) {
    tally.bytes += stored.size;
    if (linked) tally.linked += 1;
  }
  await to.index.link(key, row, { hash, ...stored }, { pinned: true });
  if (same) {
    tally.held += 1;
    return;
  }
  tally.copied += 1;
}

/** Sees to it that a blob is there, whole. `ERR_BLOB_MISSING`, `ERR_BLOB_DAMAGED` for what the source cannot give. */
async function bring(hash: Hash, compress: boolean, from: Blobs, to: Blobs): Promise<Brought> {
  const size = await from.store.verify(hash);
  if (size === undefined) throw new ContentError('ERR_BLOB_MISSING', `the blob ${hash} is gone`);
  if (to.backend.link(hash.path, from.backend)) return { size, encoding: 'identity', linked: true };
  const blob = await from.store.get(hash);
  const stored = blob && (await to.store.put(blob.stream(), { compress }));
  if (!stored?.hash.equals(hash)) throw new ContentError('ERR_BLOB_MISSING', `the blob ${hash} was removed meanwhile`);
  return { size, encoding: stored.encoding, linked: false };
}
