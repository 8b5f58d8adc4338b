import { aborted, type Clock } from '@_all_docs/http';

export const hostClock: Clock = {
  now: Date.now,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(aborted(signal));
      });
    }),
};
