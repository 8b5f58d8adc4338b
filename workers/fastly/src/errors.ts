/** Codes of what this worker throws by itself. Callers branch on the code, never on the message. */
export type FastlyErrorCode = 'ERR_BAD_SETTING' | 'ERR_NO_BACKEND' | 'ERR_NO_SECRET' | 'ERR_NO_STORE';

/** Something that the service needs and does not have; the message names what to create. */
export class FastlyError extends Error {
  readonly code: FastlyErrorCode;

  constructor(code: FastlyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'FastlyError';
    this.code = code;
  }
}
