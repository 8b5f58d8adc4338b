export type WorkerErrorCode =
  | 'ERR_BAD_PACKUMENT'
  | 'ERR_BAD_WORK_ITEM'
  | 'ERR_INTEGRITY'
  | 'ERR_LISTING_LOST'
  | 'ERR_NO_BLOB_STORE'
  | 'ERR_NOT_RECONCILED'
  | 'ERR_NO_ORDERED_STORE'
  | 'ERR_NO_SEQUENCE'
  | 'ERR_NO_TARBALL'
  | 'ERR_NO_VERSION'
  | 'ERR_QUEUE_CLOSED';

export class WorkerError extends Error {
  readonly code: WorkerErrorCode;

  constructor(code: WorkerErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'WorkerError';
    this.code = code;
  }
}

/** The code of any error of this project or of the runtime; `undefined` when it bears none. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
