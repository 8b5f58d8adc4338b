export type ChangesErrorCode =
  | 'ERR_BAD_CURSOR'
  | 'ERR_BAD_LIMIT'
  | 'ERR_BAD_PAGE'
  | 'ERR_BAD_SEQUENCE'
  | 'ERR_CURSOR_MOVED'
  | 'ERR_NOT_MENDED';

/** A page of the feed that cannot be trusted, a sequence that is none, or a cursor that cannot be moved. */
export class ChangesError extends Error {
  readonly code: ChangesErrorCode;

  constructor(code: ChangesErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ChangesError';
    this.code = code;
  }
}
