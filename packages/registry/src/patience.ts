import type { Clock } from '@_all_docs/http';
import { RegistryError } from './errors.js';

/** Given as the reason, since the platform would make an error with its stack for every answer else. */
const ANSWERED = 'answered';

/** Waits for work on `what` as long as a client may be kept waiting, then `ERR_TIMEOUT`; the work goes on beyond that. */
export async function patiently<Result>(
  env: { clock: Pick<Clock, 'sleep'>; waitUntil?: ((promise: Promise<unknown>) => void) | undefined },
  patienceMs: number,
  what: string,
  work: Promise<Result>,
): Promise<Result> {
  env.waitUntil?.(work.catch(() => undefined));
  const over = new AbortController();
  const timeout = env.clock.sleep(patienceMs, over.signal).then(() => {
    throw new RegistryError(
      'ERR_TIMEOUT',
      `the origin did not answer for ${what} within ${patienceMs / 1000} s; try again`,
    );
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    over.abort(ANSWERED);
  }
}
