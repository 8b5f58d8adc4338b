/** @module What goes wrong on the way to an origin: without the way. */

/** Codes of everything this package throws. Callers branch on the code, never on the message. */
export type HttpErrorCode =
  | 'ERR_ABORTED'
  | 'ERR_BAD_URL'
  | 'ERR_BLOCKED'
  | 'ERR_BUDGET_EXHAUSTED'
  | 'ERR_ENCODING'
  | 'ERR_FETCH_FAILED'
  | 'ERR_NOT_REGISTRY'
  | 'ERR_ORIGIN_DOWN'
  | 'ERR_RATE_LIMITED'
  | 'ERR_TIMEOUT'
  | 'ERR_TOO_LARGE'
  | 'ERR_TOO_MANY_REDIRECTS';

/** Trouble on the way to the origin. An HTTP status is data on a response; it becomes this error only when retrying ended on it. */
export class HttpError extends Error {
  readonly code: HttpErrorCode;
  /** Status of the last answer, when there was one. */
  readonly status: number | undefined;
  /** Seconds after which it is worth another try, where the origin said so. */
  readonly retryAfter: number | undefined;

  constructor(
    code: HttpErrorCode,
    message: string,
    options?: { cause?: unknown; status?: number; retryAfter?: number },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HttpError';
    this.code = code;
    this.status = options?.status;
    this.retryAfter = options?.retryAfter;
  }
}

/** The error for work stopped by the caller's signal. */
export function aborted(signal?: AbortSignal): HttpError {
  return new HttpError('ERR_ABORTED', 'stopped by the caller', { cause: signal?.reason });
}
