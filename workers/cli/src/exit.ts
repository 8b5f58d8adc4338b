/** Exit codes of the command, in one place. */
export const EXIT = {
  done: 0,
  failure: 1,
  usage: 2,
  incomplete: 3,
  stopped: 4,
  integrity: 5,
} as const;

/** A mistake in how the command was called, or an answer that it cannot give. */
export class CliError extends Error {
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, message: string, exitCode: number = EXIT.usage, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CliError';
    this.code = code;
    this.exitCode = exitCode;
  }
}

const BY_CODE: Record<string, number> = {
  ERR_BAD_KEY: EXIT.usage,
  ERR_BAD_LISTEN: EXIT.usage,
  ERR_BAD_NAME: EXIT.usage,
  ERR_BAD_NAMES: EXIT.usage,
  ERR_BAD_OPTION: EXIT.usage,
  ERR_BAD_ORIGIN: EXIT.usage,
  ERR_BAD_PIVOTS: EXIT.usage,
  ERR_BAD_RANGE: EXIT.usage,
  ERR_BAD_TOKEN_FILE: EXIT.usage,
  ERR_BUDGET_EXHAUSTED: EXIT.stopped,
  ERR_CORRUPT: EXIT.integrity,
  ERR_RATE_LIMITED: EXIT.stopped,
};

/** The exit code that an error ends the command with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  return BY_CODE[String((error as { code?: unknown })?.code)] ?? EXIT.failure;
}

/** Why an interrupted command stops: the reason of its abort signal. */
export class Interruption extends Error {
  /** 128 and the signal's number, as shells have it. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = 'Interruption';
    this.exitCode = signal === 'SIGTERM' ? 143 : signal === 'SIGHUP' ? 129 : 130;
  }
}
