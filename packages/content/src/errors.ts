/** Codes of everything this package throws. Callers branch on the code, never on the message. */
export type ContentErrorCode =
  | 'ERR_BAD_HASH'
  | 'ERR_BAD_RANGE'
  | 'ERR_BLOB_DAMAGED'
  | 'ERR_BLOB_MISSING'
  | 'ERR_BLOB_TOO_LARGE'
  | 'ERR_INTEGRITY';

/** Content that is not what it should be. A miss is never an error: it is `undefined`; trouble of a backend is a `CacheError`. */
export class ContentError extends Error {
  readonly code: ContentErrorCode;

  constructor(code: ContentErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ContentError';
    this.code = code;
  }
}
