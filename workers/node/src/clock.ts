import { aborted, type Clock } from '@_all_docs/http';
import { setTimeout as sleep } from 'node:timers/promises';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, signal ? { signal } : {});
    } catch {
      throw aborted(signal);
    }
  },
};
