import { createClock } from '@_all_docs/http/clock';

/** The host's clock. It stands still while code runs, and goes on where something is waited for. */
export const systemClock = createClock(globalThis);
