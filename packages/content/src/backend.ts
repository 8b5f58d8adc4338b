import { ContentError } from './errors.js';

/** Bytes `start` (inclusive) to `end` (exclusive), both within the blob. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface BlobStat {
  /** Bytes as stored. */
  size: number;
  /** Epoch milliseconds at which it was written last; another one means that the bytes may have changed. */
  modifiedAt: number;
}

/**
 * Named bytes, written once and never changed: a file system, a bucket. Names are paths with `/` between their parts.
 * Trouble is a `CacheError` (`ERR_STORAGE_READ`, `ERR_STORAGE_WRITE`, `ERR_DISK_FULL`) and never taken for a miss.
 */
export interface BlobBackend {
  /**
   * The blob's bytes, or those of a range; `undefined` on a miss, `ERR_BAD_RANGE` for a range that is not in the blob.
   * What is given must be read or left (`return`): it may hold a file open. A reader that has begun ends well even
   * when the blob is deleted meanwhile.
   */
  read(path: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | undefined>;
  /**
   * Stores what `source` gives, whole or not at all, whenever the process ends; a blob that is half written has no name.
   * `path` may be a function where the name follows from the bytes: it is called once, after the last one. When it or
   * the source throws, that is what the caller gets, and nothing is left. What lies under the path already is replaced,
   * or kept where it holds the same bytes; `modifiedAt` is now in either case.
   */
  write(path: string | (() => string | Promise<string>), source: AsyncIterable<Uint8Array>): Promise<void>;
  /** `undefined` on a miss. */
  stat(path: string): Promise<BlobStat | undefined>;
  /** Paths of whole blobs that begin with `prefix`, in the order of their bytes. */
  list(prefix: string): AsyncIterable<string>;
  /** Idempotent: what is not there is deleted already. */
  delete(path: string): Promise<void>;
}

/** Throws `ERR_BAD_RANGE` for a range that does not lie within so many bytes. */
export function assertRange({ start, end }: ByteRange, size: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= size) return;
  throw new ContentError('ERR_BAD_RANGE', `no range of ${size} bytes: ${start} to ${end}`);
}
