export type OriginErrorCode =
  | 'ERR_BAD_FRAME'
  | 'ERR_BAD_INDEX'
  | 'ERR_BAD_QUERY'
  | 'ERR_BODY_TOO_LARGE'
  | 'ERR_LISTING_LOST'
  | 'ERR_LISTING_RENEWED'
  | 'ERR_NO_FEED'
  | 'ERR_NO_LISTING';

/** What keeps a replica from being an origin, or a client from taking what one sends. */
export class OriginError extends Error {
  readonly code: OriginErrorCode;

  constructor(code: OriginErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'OriginError';
    this.code = code;
  }
}
