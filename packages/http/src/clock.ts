/** @module Time as hosts have it. An entry of its own: an edge needs it at the start, and nothing else of this package. */
import { aborted } from './errors.js';
import type { Clock } from './transport.js';

/** What of a host's global object tells the time; it is asked at each call. */
export interface ClockHost<Timer> {
  Date: { now(): number };
  setTimeout(work: () => void, ms: number): Timer;
  clearTimeout(timer: Timer): void;
}

/** The clock of a host: `createClock(globalThis)`. A sleep that is aborted, before or while it lasts, rejects with `ERR_ABORTED` and leaves nothing behind. */
export function createClock<Timer>(host: ClockHost<Timer>): Clock {
  return {
    now: () => host.Date.now(),
    // By hand: that of `node:timers/promises` makes two errors with their stacks at each abort, and most sleeps are ended so.
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.reject(aborted(signal));
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          host.clearTimeout(timer);
          reject(aborted(signal));
        };
        const timer = host.setTimeout(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, ms);
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
  };
}
