import { createPartitionKey, createStorageDriver, encodeOrigin, type StorageEnv } from '@_all_docs/cache';
import type { PackumentForm } from '@_all_docs/packument';
import { OriginError } from './errors.js';
import type { MergedList } from './merged-list.js';

/** Below the replica's URL. */
export const INDEX_PATH = '/-/listing/index.json';
export const PART_PATH = '/-/listing/';
export const DOCUMENTS_PATH = '/-/documents';
const PART_SUFFIX = '.json.gz';

/** What a replica offers to other replicas beside npm's protocol: one small document. */
export interface ReplicaIndex {
  version: 1;
  /** Partitions in order; each ends where the next one begins. */
  partitions: {
    startKey: string | null;
    rows: number;
    /**
     * Name of an immutable file below `/-/listing/`: a page of `_all_docs`, gzip, whose bytes have the digest that is
     * its name. `null` where something changed since the listing: then `_all_docs` has to be asked.
     */
    file: string | null;
  }[];
  /** Where documents can be had in bulk; `null` where they cannot. */
  documents: {
    /** Path of the registry that they are documents of. */
    registry: string;
    form: PackumentForm;
  } | null;
}

/** The name of the file with these bytes: an integrity string in letters that need no escape. */
function fileOf(digest: string): string {
  return `${digest.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}${PART_SUFFIX}`;
}

/** The integrity string that a file is named by; `undefined` for another name. */
export function digestOfFile(file: string): string | undefined {
  const [, algorithm, text] = /^(sha256|sha384|sha512)-([\w-]+)\.json\.gz$/.exec(file) ?? [];
  if (algorithm === undefined || text === undefined) return undefined;
  const value = text.replaceAll('-', '+').replaceAll('_', '/');
  return `${algorithm}-${value}${'='.repeat((4 - (value.length % 4)) % 4)}`;
}

/** Says what is there now. */
export async function makeIndex(list: MergedList, documents: ReplicaIndex['documents']): Promise<ReplicaIndex> {
  const partitions: ReplicaIndex['partitions'] = [];
  for (const [part, { startKey, rows, digest }] of list.listing.parts.entries())
    partitions.push({ startKey, rows, file: (await list.isUnchanged(part)) ? fileOf(digest) : null });
  return { version: 1, partitions, documents };
}

/** The stored bytes that a file is; `undefined` when no partition has such bytes (any more). */
export async function readPart(
  env: StorageEnv & { origin: string },
  list: MergedList,
  file: string,
): Promise<Uint8Array | undefined> {
  const digest = digestOfFile(file);
  const part = list.listing.parts.findIndex((other) => other.digest === digest);
  if (part < 0) return undefined;
  const { startKey, endKey } = list.rangeOf(part);
  const entry = await (await createStorageDriver(env)).read(createPartitionKey(startKey, endKey, env.origin));
  return entry?.metadata.digest === digest && entry?.metadata.encoding === 'gzip' ? entry.body : undefined;
}

/** An index as it came over the wire. `ERR_BAD_INDEX` for one that cannot be used. */
export function parseIndex(value: unknown): ReplicaIndex {
  const index = value as Partial<ReplicaIndex> | null;
  const isGood =
    index?.version === 1 &&
    Array.isArray(index.partitions) &&
    index.partitions.every(
      (part, i) =>
        (i === 0 ? part?.startKey === null : typeof part?.startKey === 'string' && part.startKey !== '') &&
        Number.isSafeInteger(part.rows) &&
        (part.file === null || (typeof part.file === 'string' && digestOfFile(part.file) !== undefined)),
    );
  if (!isGood) throw new OriginError('ERR_BAD_INDEX', 'the index of the replica is of a kind unknown here');
  return index as ReplicaIndex;
}

/** Whether two URLs name the same registry. */
export function isSameRegistry(a: string, b: string): boolean {
  return encodeOrigin(a) === encodeOrigin(b);
}
