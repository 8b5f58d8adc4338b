export type PartitionErrorCode = 'ERR_BAD_PIVOTS' | 'ERR_BAD_RANGE' | 'ERR_BAD_PAGE' | 'ERR_BAD_NAMES';

/** Pivots, ranges or lists of names that cannot be used, or a page of the origin that cannot be trusted. */
export class PartitionError extends Error {
  readonly code: PartitionErrorCode;

  constructor(code: PartitionErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PartitionError';
    this.code = code;
  }
}
