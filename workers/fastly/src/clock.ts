import { createClock } from '@_all_docs/http/clock';

/** The sandbox's clock. */
export const hostClock = createClock(globalThis);
