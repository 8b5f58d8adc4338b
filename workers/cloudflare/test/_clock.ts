/** The machine's time and what was let pass beyond it; the same for tests and objects, which share an isolate. */
const shared = globalThis as { passedMs?: number };

export const testClock = {
  now: () => Date.now() + (shared.passedMs ?? 0),
  pass(ms: number): void {
    shared.passedMs = (shared.passedMs ?? 0) + ms;
  },
};
