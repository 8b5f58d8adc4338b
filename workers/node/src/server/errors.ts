/** Codes of everything that can go wrong before a server serves. */
export type ServeErrorCode =
  | 'ERR_BAD_LISTEN'
  | 'ERR_BAD_TOKEN_FILE'
  | 'ERR_LISTEN'
  | 'ERR_OWN_REGISTRY'
  | 'ERR_PORT_DENIED'
  | 'ERR_PORT_IN_USE'
  | 'ERR_WORKER_FAILED';

/** Why a server could not be started. */
export class ServeError extends Error {
  readonly code: ServeErrorCode;

  constructor(code: ServeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ServeError';
    this.code = code;
  }
}
