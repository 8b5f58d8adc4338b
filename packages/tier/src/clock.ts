/** Time as an argument: wall clock in milliseconds, and a sleep that ends early, rejecting, on abort. */
export interface TierClock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Work that took longer than it may. */
class Late extends Error {
  readonly code = 'ERR_TIMEOUT';
}

/** What `work` gives, if it does within so many milliseconds; else rejects with {@link Late}, and what comes later is dropped. */
export async function within<T>(clock: TierClock, ms: number, work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  const result = work();
  result.then(over, over);
  // A timer costs more than an answer from memory: it is set only for what is not there after a few turns.
  for (let turns = 0; turns < 6 && !isOver; turns++) await undefined;
  if (isOver) return result;
  const timer = new AbortController();
  try {
    return await Promise.race([
      result,
      clock.sleep(ms, timer.signal).then(
        () => Promise.reject(new Late(`no answer within ${ms} ms`)),
        // The sleep was ended because the work is over; whatever else ends it is no reason to fail the work.
        () => result,
      ),
    ]);
  } finally {
    timer.abort();
  }
}
