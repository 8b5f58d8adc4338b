export type CheckpointErrorCode = 'ERR_NO_CHECKPOINT' | 'ERR_BAD_INDEX' | 'ERR_LEASE_LOST';

/** A checkpoint that is not there, or a mark that does not fit it. */
export class CheckpointError extends Error {
  readonly code: CheckpointErrorCode;

  constructor(code: CheckpointErrorCode, message: string) {
    super(message);
    this.name = 'CheckpointError';
    this.code = code;
  }
}
