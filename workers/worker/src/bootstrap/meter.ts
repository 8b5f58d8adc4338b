import type { GovernorState } from '@_all_docs/http';
import type { Env } from '../interfaces.js';
import type { BootstrapEvent, Phase } from './events.js';

const EVERY_MS = 250;
const WINDOW_MS = 10_000;

/** Counts what is settled and reports it, at most four times a second. */
export class Meter {
  done = 0;
  errors = 0;
  /** Tarballs settled; `undefined` before their phase. */
  tarballs: number | undefined;
  #phase: Phase = 'list';
  #total: number | undefined;
  #reportedAt = 0;
  readonly #env: Pick<Env, 'clock' | 'governor'>;
  readonly #report: (event: BootstrapEvent) => void;
  /** The governor's counts when this run began: it may serve others too. */
  readonly #before: Pick<GovernorState, 'requests' | 'throttled' | 'bytes'>;
  /** Samples of (time, done) over the last seconds: the rate follows what happens now, not the average since the start. */
  #samples: [number, number][] = [];

  constructor(env: Pick<Env, 'clock' | 'governor'>, report: (event: BootstrapEvent) => void) {
    this.#env = env;
    this.#report = report;
    this.#before = env.governor?.state ?? { requests: 0, throttled: 0, bytes: 0 };
  }

  /** Requests, 429s and bytes received since this run began; zeros where no governor counts. */
  get traffic(): { requests: number; throttled: number; bytes: number } {
    const { requests, throttled, bytes } = this.#env.governor?.state ?? this.#before;
    const before = this.#before;
    return {
      requests: requests - before.requests,
      throttled: throttled - before.throttled,
      bytes: bytes - before.bytes,
    };
  }

  begin(phase: Phase, total: number | undefined, done = 0): void {
    this.#phase = phase;
    this.#total = total;
    this.done = done;
    this.#samples = [[this.#env.clock.now(), done]];
    this.#report({ type: 'phase', phase, total });
    this.flush();
  }

  add(done: number): void {
    this.done += done;
    if (this.#env.clock.now() - this.#reportedAt >= EVERY_MS) this.flush();
  }

  flush(): void {
    const now = this.#env.clock.now();
    this.#reportedAt = now;
    this.#samples.push([now, this.done]);
    while (this.#samples.length > 2 && now - (this.#samples[0]?.[0] ?? now) > WINDOW_MS) this.#samples.shift();
    const [since, before] = this.#samples[0] ?? [now, this.done];
    const rate = now > since ? ((this.done - before) * 1000) / (now - since) : 0;
    const left = this.#total === undefined ? undefined : Math.max(0, this.#total - this.done);
    const pausedUntil = this.#env.governor?.state.pausedUntil ?? 0;
    this.#report({
      type: 'progress',
      phase: this.#phase,
      done: this.done,
      tarballs: this.tarballs,
      total: this.#total,
      rate: Math.round(rate * 10) / 10,
      etaSeconds: left === undefined || rate === 0 ? undefined : Math.ceil(left / rate),
      errors: this.errors,
      ...this.traffic,
      pausedSeconds: pausedUntil > now ? Math.ceil((pausedUntil - now) / 1000) : 0,
    });
  }
}
