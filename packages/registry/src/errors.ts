export type RegistryErrorCode =
  | 'ERR_BAD_HOST'
  | 'ERR_BAD_OPTION'
  | 'ERR_BAD_PATH'
  | 'ERR_BODY_TOO_LARGE'
  | 'ERR_BUSY'
  | 'ERR_CHANGED'
  | 'ERR_FORBIDDEN_HOST'
  | 'ERR_NOT_FOUND'
  | 'ERR_OFFLINE'
  | 'ERR_THROTTLED'
  | 'ERR_TIMEOUT';

/** What keeps the registry from giving the answer that was asked for. */
export class RegistryError extends Error {
  readonly code: RegistryErrorCode;
  /** Seconds after which it is worth another try, where that is known. */
  readonly retryAfter: number | undefined;

  constructor(
    code: RegistryErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfter?: number | undefined },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RegistryError';
    this.code = code;
    this.retryAfter = options?.retryAfter;
  }
}
