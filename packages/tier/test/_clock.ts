import type { TierClock } from '@_all_docs/tier';

/** The machine's own clock. */
export const systemClock: TierClock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(new Error('the sleep was ended'));
      });
    }),
};
