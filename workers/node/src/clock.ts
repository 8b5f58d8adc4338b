import { aborted, type Clock } from '@_all_docs/http';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // By hand: that of `node:timers/promises` makes two errors with their stacks at each abort, and most sleeps are ended so.
  sleep(ms, signal) {
    if (signal?.aborted) return Promise.reject(aborted(signal));
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(aborted(signal));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
};
