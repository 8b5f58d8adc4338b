import type { Verdict } from './classify.js';
import { aborted, HttpError } from './errors.js';
import { RETRY_AFTER_FLOOR_MS } from './retry-after.js';
import type { Clock } from './transport.js';

export interface Pace {
  /** Requests in flight at once. */
  concurrency: number;
  /** Requests a second; `Infinity` for no limit of our own. */
  rate: number;
  /**
   * How long the lane waits: a longer pause asked for by the origin ends the work with `ERR_RATE_LIMITED`, a longer
   * silence of an origin that had answered before with `ERR_ORIGIN_DOWN`.
   */
  patienceMs: number;
}

export interface LaneState {
  inFlight: number;
  /** Requests in flight that are allowed now; the configured concurrency when all is well. */
  limit: number;
  /** Requests a second that are allowed now. */
  rate: number;
  requests: number;
  /** 429s and their like so far. */
  throttled: number;
  /** Answers that were none so far: broken connections, 5xx, block pages. */
  troubles: number;
  /** Bytes of bodies received so far, as they travelled. */
  bytes: number;
  /** Epoch milliseconds before which nothing is sent; 0 when nothing holds the lane back. */
  pausedUntil: number;
}

/** What came of a request, beside the verdict. */
export interface Outcome {
  bytes?: number;
  /** What the origin's Retry-After asks for. */
  retryAfterMs?: number | undefined;
  /** What was asked for: one thing that fails again and again says little about the origin. */
  url?: string;
}

interface Waiter {
  enter: () => void;
  refuse: (error: Error) => void;
}

const SLOW_DOWN_AFTER = 4;
const OPEN_AFTER = 8;
const FIRST_COOLDOWN_MS = 1_000;
const LAST_COOLDOWN_MS = 10_000;
/** Silence after which an origin that never answered is given up: whoever mistyped its address is waiting. */
const FIRST_ANSWER_MS = 5_000;
const RECOVER_EVERY_MS = 2_000;
const RECOVER_STEP = 0.1;
const SLOWEST_RATE = 0.5;
/** Where an unlimited rate is cut from when too little was asked yet to know better. */
const LEAST_CEILING = 50;

/**
 * The pace of one origin: concurrency, a token bucket, pauses that the origin asks for, and a circuit breaker.
 * Throttling halves pace and concurrency for everybody; quiet time brings them back a tenth at a time.
 */
export class Lane {
  readonly #pace: Pace;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #waiting: Waiter[] = [];
  #inFlight = 0;
  #limit: number;
  #rate: number;
  /** Ceiling that recovery is measured by; finite once an unlimited rate was throttled. */
  #ceiling: number;
  #tokens = 1;
  #refilledAt: number;
  #pausedUntil = 0;
  #throttlesInRow = 0;
  /** What failed since the last answer, each thing once; bounded by what is asked for meanwhile. */
  readonly #failing = new Set<string>();
  #cooldownMs = FIRST_COOLDOWN_MS;
  #probing = false;
  #silentSince: number;
  #askedAt = 0;
  #answered = false;
  #cutAt = Number.NEGATIVE_INFINITY;
  #changedAt = Number.NEGATIVE_INFINITY;
  #timer = false;
  #requests = 0;
  #throttled = 0;
  #troubles = 0;
  #bytes = 0;
  #windowStart = 0;
  #windowCount = 0;
  #observedRate = 0;

  constructor(pace: Pace, clock: Clock, random: () => number) {
    this.#pace = pace;
    this.#clock = clock;
    this.#random = random;
    this.#limit = pace.concurrency;
    this.#rate = pace.rate;
    this.#ceiling = pace.rate;
    this.#refilledAt = clock.now();
    this.#silentSince = clock.now();
  }

  get state(): LaneState {
    return {
      inFlight: this.#inFlight,
      limit: this.#probing ? 1 : this.#limit,
      rate: this.#rate,
      requests: this.#requests,
      throttled: this.#throttled,
      troubles: this.#troubles,
      bytes: this.#bytes,
      pausedUntil: this.#pausedUntil > this.#clock.now() ? this.#pausedUntil : 0,
    };
  }

  /** Resolves when the caller may send one request; it must then call {@link leave} exactly once. First come, first served. */
  enter(signal?: AbortSignal): Promise<void> | undefined {
    if (signal?.aborted) return Promise.reject(aborted(signal));
    // Silence counts while somebody is asking, not while nobody wanted anything for longer than a retry pauses.
    const now = this.#clock.now();
    const idle = this.#inFlight === 0 && this.#waiting.length === 0;
    if (idle && (!this.#probing || now - this.#askedAt > LAST_COOLDOWN_MS)) this.#silentSince = now;
    this.#askedAt = now;
    if (this.#waiting.length === 0 && this.#admit()) return undefined;
    const promise = new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { enter: resolve, refuse: reject };
      if (signal) this.#leaveOnAbort(waiter, signal);
      this.#waiting.push(waiter);
    });
    this.#pump();
    return promise;
  }

  /** Tells how a request ended. `undefined` for one that says nothing about the origin (stopped by us). */
  leave(startedAt: number, verdict: Verdict | undefined, { bytes = 0, retryAfterMs, url = '' }: Outcome = {}): void {
    this.#inFlight -= 1;
    this.#bytes += bytes;
    if (verdict === 'throttled') this.#onThrottle(startedAt, retryAfterMs);
    else if (verdict === 'trouble') this.#onTrouble(startedAt, url);
    else if (verdict === 'ok') this.#onAnswer();
    this.#pump();
  }

  #admit(): boolean {
    const now = this.#clock.now();
    if (now < this.#pausedUntil || this.#inFlight >= (this.#probing ? 1 : this.#limit)) return false;
    if (this.#rate !== Number.POSITIVE_INFINITY) {
      this.#refill(now);
      if (this.#tokens < 1) return false;
      this.#tokens -= 1;
    }
    this.#inFlight += 1;
    this.#requests += 1;
    this.#observe(now);
    return true;
  }

  /** A small burst only: an origin that counts per second must see the rate, not ten seconds' worth at once. */
  #refill(now: number): void {
    const burst = Math.max(1, this.#rate / 20);
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, now - this.#refilledAt) * this.#rate) / 1000);
    this.#refilledAt = now;
  }

  #observe(now: number): void {
    if (now - this.#windowStart >= 1000) {
      this.#observedRate = this.#windowCount;
      this.#windowStart = now;
      this.#windowCount = 0;
    }
    this.#windowCount += 1;
  }

  #pump(): void {
    if (this.#refusedForGood()) return;
    while (this.#waiting.length > 0 && this.#admit()) this.#waiting.shift()?.enter();
    if (this.#waiting.length === 0 || this.#timer || this.#inFlight >= (this.#probing ? 1 : this.#limit)) return;
    this.#timer = true;
    void this.#clock.sleep(this.#waitMs()).then(() => {
      this.#timer = false;
      this.#pump();
    });
  }

  /** Past all patience everybody who waits is told: nobody sleeps for hours, or knocks at a dead door. */
  #refusedForGood(): boolean {
    if (this.#waiting.length === 0) return false;
    const error = this.#hopeless();
    if (!error) return false;
    for (const waiter of this.#waiting.splice(0)) waiter.refuse(error);
    return true;
  }

  #hopeless(): HttpError | undefined {
    const now = this.#clock.now();
    const pause = this.#pausedUntil - now;
    if (pause > this.#pace.patienceMs) {
      return new HttpError(
        'ERR_RATE_LIMITED',
        `the origin asks for a pause of ${Math.ceil(pause / 1000)} s; run the same command again after ${new Date(this.#pausedUntil).toISOString()}`,
        { retryAfter: Math.ceil(pause / 1000) },
      );
    }
    const silence = now - this.#silentSince;
    if (!this.#probing || silence <= (this.#answered ? this.#pace.patienceMs : FIRST_ANSWER_MS)) return undefined;
    return new HttpError(
      'ERR_ORIGIN_DOWN',
      `the origin gave no answer for ${Math.ceil(silence / 1000)} s (${this.#failing.size} requests failed); check its address and the network, then run the same command again`,
    );
  }

  #waitMs(): number {
    const now = this.#clock.now();
    if (now < this.#pausedUntil) return this.#pausedUntil - now;
    return Math.max(1, Math.ceil(((1 - this.#tokens) * 1000) / this.#rate));
  }

  #leaveOnAbort(waiter: Waiter, signal: AbortSignal): void {
    const onAbort = () => {
      const at = this.#waiting.indexOf(waiter);
      if (at !== -1) this.#waiting.splice(at, 1);
      waiter.refuse(aborted(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const { enter, refuse } = waiter;
    waiter.enter = () => {
      signal.removeEventListener('abort', onAbort);
      enter();
    };
    waiter.refuse = (error) => {
      signal.removeEventListener('abort', onAbort);
      refuse(error);
    };
  }

  #onThrottle(startedAt: number, retryAfterMs: number | undefined): void {
    this.#throttled += 1;
    this.#silentSince = this.#clock.now();
    this.#cut(startedAt, () => {
      this.#throttlesInRow += 1;
    });
    const own = Math.min(60_000, RETRY_AFTER_FLOOR_MS * 2 ** Math.min(10, this.#throttlesInRow - 1));
    const pause = retryAfterMs ?? own * (1 + this.#random() / 4);
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.now() + Math.max(RETRY_AFTER_FLOOR_MS, pause));
  }

  #onTrouble(startedAt: number, url: string): void {
    this.#troubles += 1;
    this.#failing.add(url);
    if (this.#failing.size >= SLOW_DOWN_AFTER) this.#cut(startedAt);
    if (this.#failing.size < OPEN_AFTER) return;
    // The breaker is open: everybody waits for the cool-down, then a single request finds out for all.
    const now = this.#clock.now();
    if (now < this.#pausedUntil) return;
    this.#probing = true;
    this.#pausedUntil = now + this.#cooldownMs;
    this.#cooldownMs = Math.min(LAST_COOLDOWN_MS, this.#cooldownMs * 2);
  }

  #onAnswer(): void {
    this.#answered = true;
    this.#silentSince = this.#clock.now();
    if (this.#failing.size > 0) this.#failing.clear();
    this.#throttlesInRow = 0;
    this.#probing = false;
    this.#cooldownMs = FIRST_COOLDOWN_MS;
    const now = this.#clock.now();
    if (now - this.#changedAt < RECOVER_EVERY_MS) return;
    this.#changedAt = now;
    const { concurrency, rate } = this.#pace;
    this.#limit = Math.min(concurrency, this.#limit + Math.max(1, Math.floor(concurrency * RECOVER_STEP)));
    if (this.#rate < rate) this.#rate = Math.min(rate, this.#rate + Math.max(this.#ceiling, this.#rate) * RECOVER_STEP);
  }

  /** Halves once per round trip: ten 429s to requests sent before the last cut are one piece of news. */
  #cut(startedAt: number, onNews?: () => void): void {
    if (startedAt <= this.#cutAt) return;
    onNews?.();
    const now = this.#clock.now();
    if (this.#ceiling === Number.POSITIVE_INFINITY) {
      this.#ceiling = Math.max(this.#observedRate, this.#windowCount, LEAST_CEILING);
      this.#rate = this.#ceiling;
    }
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    this.#rate = Math.max(Math.min(SLOWEST_RATE, this.#pace.rate), this.#rate / 2);
    this.#cutAt = now;
    this.#changedAt = now;
  }
}
