import { createClock } from '@_all_docs/http/clock';

/** The machine's own clock. */
export const systemClock = createClock(globalThis);
