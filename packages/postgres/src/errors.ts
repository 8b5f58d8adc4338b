import { CacheError } from '@_all_docs/cache';

/** SQLSTATE 53100, and 54000 of a key that no index page takes. */
const DISK_FULL = '53100';
const TOO_LARGE = '54000';
/** A cut or closed connection, as the client and PostgreSQL name it. */
const CUT = /^(CONNECTION_|CONNECT_|ECONN|EPIPE|ETIMEDOUT|57P0|08)/;
/** Serialisation failure and deadlock: the transaction may be tried again as it is. */
const RIVALS = new Set(['40001', '40P01']);

export function isCut(error: unknown): boolean {
  return CUT.test(codeOf(error));
}

export function isRivalry(error: unknown): boolean {
  return RIVALS.has(codeOf(error));
}

export function readError(cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  return new CacheError('ERR_STORAGE_READ', `cannot read from PostgreSQL: ${messageOf(cause)}`, { cause });
}

export function writeError(cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  const code = codeOf(cause);
  if (code === DISK_FULL) {
    return new CacheError('ERR_DISK_FULL', 'cannot write to PostgreSQL: its disk is full; make room there', { cause });
  }
  if (code === TOO_LARGE) {
    return new CacheError('ERR_KEY_TOO_LONG', `a key is longer than PostgreSQL takes: ${messageOf(cause)}`, { cause });
  }
  return new CacheError('ERR_STORAGE_WRITE', `cannot write to PostgreSQL: ${messageOf(cause)}`, { cause });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '');
}

/** A refused connection has no message of its own, only a code. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message || codeOf(error);
}
