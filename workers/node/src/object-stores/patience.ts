import type { Clock } from '@_all_docs/http';

/** Why a store gave no answer. */
export interface Trouble {
  trouble: true;
  /** Whether asking again may mend it. */
  passing: boolean;
  status?: number | undefined;
  code?: string | undefined;
  detail?: string | undefined;
  cause?: unknown;
}

export interface PatienceOptions {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** How long a store in trouble is asked again; 90 s unless told. */
  patienceMs?: number | undefined;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
export const PATIENCE_MS = 90_000;

/** Asks until there is an answer: with pauses that double and vary, until patience ends or the trouble is none that passes. */
export async function withPatience<Answer extends object>(
  { clock, random, patienceMs = PATIENCE_MS }: PatienceOptions,
  attempt: () => Promise<Answer | Trouble>,
  failure: (trouble: Trouble) => Error,
): Promise<Answer> {
  const since = clock.now();
  for (let tries = 0; ; tries++) {
    const outcome = await attempt();
    if (!('trouble' in outcome)) return outcome;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries) * (0.5 + random() / 2);
    if (!outcome.passing || clock.now() + pause - since > patienceMs) throw failure(outcome);
    await clock.sleep(pause);
  }
}

/** Statuses that mean "later". */
export function isPassing(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** What a socket, or the wait for one, ended with. */
export function brokenOff(error: unknown): Trouble {
  // A `TypeError` is a mistake of the caller's: it stays one.
  const passing = !(error instanceof TypeError);
  return { trouble: true, passing, detail: error instanceof Error ? error.message : String(error), cause: error };
}
