/** Codes of everything this package and its drivers throw. Callers branch on the code, never on the message. */
export type CacheErrorCode =
  | 'ERR_BAD_KEY'
  | 'ERR_BAD_ORIGIN'
  | 'ERR_CACHE_FOREIGN'
  | 'ERR_CACHE_NEWER'
  | 'ERR_CACHE_UNWRITABLE'
  | 'ERR_CORRUPT'
  | 'ERR_DISK_FULL'
  | 'ERR_KEY_TOO_LONG'
  | 'ERR_NO_BINDING'
  | 'ERR_NO_INDEX'
  | 'ERR_NO_STORAGE'
  | 'ERR_STORAGE_READ'
  | 'ERR_STORAGE_WRITE'
  | 'ERR_STORE_MISMATCH'
  | 'ERR_VALUE_TOO_LARGE';

/** Trouble with what is stored or with a key. A miss is never an error: it is `undefined`. */
export class CacheError extends Error {
  readonly code: CacheErrorCode;

  constructor(code: CacheErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CacheError';
    this.code = code;
  }
}
