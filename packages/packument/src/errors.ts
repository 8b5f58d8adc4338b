export type PackumentErrorCode = 'ERR_BAD_NAME' | 'ERR_BAD_PACKUMENT' | 'ERR_NOT_HELD';

/** A name that no request can carry, or a document that is not what was asked for. */
export class PackumentError extends Error {
  readonly code: PackumentErrorCode;

  constructor(code: PackumentErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PackumentError';
    this.code = code;
  }
}
