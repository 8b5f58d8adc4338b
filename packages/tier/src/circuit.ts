import { type TierClock, within } from './clock.js';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Calls that must go well before a tier counts as recovered: until then the next trouble doubles the pause. */
const GOOD_CALLS = 20;

export interface CircuitOptions {
  clock: TierClock;
  /** How long a call may take, in milliseconds; a slower one is a failed one. */
  deadlineMs: number;
  /** Takes work that nobody waits for. */
  background: (work: Promise<unknown>) => void;
  /** Hears of every change. */
  changed: (state: 'open' | 'closed', cause?: unknown) => void;
}

/**
 * Leaves something that fails, or is slow, alone: opens at the first failure, and is probed behind everybody's back
 * once the pause is over. The pause doubles from one second to a minute as long as the trouble comes back.
 */
export class Circuit {
  readonly #options: CircuitOptions;
  #isOpen = false;
  #probe: (() => Promise<unknown>) | undefined;
  #isProbing = false;
  #probeAt = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #goodCalls = GOOD_CALLS;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether a call may be made now. While it may not, this starts a probe in the background when one is due. */
  admits(): boolean {
    if (this.#isOpen && !this.#isProbing && this.#options.clock.now() >= this.#probeAt) {
      this.#isProbing = true;
      this.#options.background(this.#try());
    }
    return !this.#isOpen;
  }

  /** What `call` gives, within the deadline. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const given = await within(this.#options.clock, this.#options.deadlineMs, call);
    if (this.#goodCalls < GOOD_CALLS) this.#goodCalls += 1;
    return given;
  }

  /** Opens it. It closes again when `probe` goes well. */
  trip(cause: unknown, probe: () => Promise<unknown>): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#probe = probe;
    this.#pauseMs = this.#goodCalls < GOOD_CALLS ? longer(this.#pauseMs) : FIRST_PAUSE_MS;
    this.#probeAt = this.#options.clock.now() + this.#pauseMs;
    this.#options.changed('open', cause);
  }

  async #try(): Promise<void> {
    const { clock, deadlineMs, changed } = this.#options;
    try {
      await within(clock, deadlineMs, async () => this.#probe?.());
      this.#isOpen = false;
      this.#probe = undefined;
      this.#goodCalls = 0;
      changed('closed');
    } catch {
      // The change was told; that it goes on is told by the state.
      this.#pauseMs = longer(this.#pauseMs);
      this.#probeAt = clock.now() + this.#pauseMs;
    }
    this.#isProbing = false;
  }
}

function longer(pauseMs: number): number {
  return Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
}
