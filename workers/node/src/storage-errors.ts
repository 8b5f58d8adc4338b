import { CacheError } from '@_all_docs/cache';

/** A failed write in this project's words: `ERR_DISK_FULL` where the disk is full, else `ERR_STORAGE_WRITE`. */
export function writeError(what: string, cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  // cacache renames the code of a failed rename, so the message is asked too; SQLite has its own words.
  if (/ENOSPC|EDQUOT|disk is full|no space left/i.test(`${(cause as NodeJS.ErrnoException)?.code} ${message}`)) {
    return new CacheError(
      'ERR_DISK_FULL',
      `cannot store ${what}: the disk is full; make room and run the same command again, what was stored is whole`,
      { cause },
    );
  }
  return new CacheError('ERR_STORAGE_WRITE', `cannot store ${what}: ${message}`, { cause });
}

export function readError(what: string, cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new CacheError('ERR_STORAGE_READ', `cannot read ${what}: ${message}`, { cause });
}
