import { classify, type Verdict } from './classify.js';
import { HttpError } from './errors.js';
import { Lane, type LaneState } from './lane.js';
import { parseRetryAfter } from './retry-after.js';
import { classifyHead, type StreamingTransport, watched } from './streaming.js';
import { type Clock, originOf, type Transport, type TransportRequest, type TransportResponse } from './transport.js';

/** Requests that may still be made. `take` counts one; it throws (or rejects with) `ERR_BUDGET_EXHAUSTED` when none is left. */
export interface Budget {
  take(): void | Promise<void>;
}

/** The budget of those who have no limit. */
export const unlimitedBudget: Budget = { take: () => undefined };

export interface GovernorOptions {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Requests in flight at once per origin; 10 unless told. */
  concurrency?: number | undefined;
  /** Requests a second per origin; 20 unless told, `Infinity` for no limit of our own. */
  rate?: number | undefined;
  /** The longest pause that is slept through; 15 minutes unless told. */
  patienceMs?: number | undefined;
  budget?: Budget | undefined;
}

/** What all lanes together did so far, and how they stand. */
export type GovernorState = LaneState;

/**
 * The one pace-maker of a process: every request of every task passes through it, so that an origin's limits are kept
 * by all together. One {@link Lane} per origin; the budget is common.
 */
export class Governor {
  readonly #options: GovernorOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: GovernorOptions) {
    this.#options = options;
  }

  /** The same transport at the governor's pace. Wrap it once, below retry, so that every try counts. */
  wrap(transport: Transport): Transport {
    return (request) =>
      this.#pass(transport, request, (response, leave) => {
        leave(classify(response), response.body.length);
        return response;
      });
  }

  /** The same for bodies that stream: a request keeps its place until its body has ended or was left. */
  wrapStreaming(transport: StreamingTransport): StreamingTransport {
    return (request) =>
      this.#pass(transport, request, (response, leave) => {
        const ended = (bytes: number, error?: unknown) =>
          leave(error === undefined ? classifyHead(response) : verdictOf(error), bytes);
        return { ...response, body: watched(response.body, ended) };
      });
  }

  /** Sums over all origins; `limit` and `rate` are those of the slowest, `pausedUntil` of the longest pause. */
  get state(): GovernorState {
    const sum: GovernorState = {
      inFlight: 0,
      limit: Number.POSITIVE_INFINITY,
      rate: Number.POSITIVE_INFINITY,
      requests: 0,
      throttled: 0,
      troubles: 0,
      bytes: 0,
      pausedUntil: 0,
    };
    for (const { state } of this.#lanes.values()) {
      sum.inFlight += state.inFlight;
      sum.requests += state.requests;
      sum.throttled += state.throttled;
      sum.troubles += state.troubles;
      sum.bytes += state.bytes;
      sum.limit = Math.min(sum.limit, state.limit);
      sum.rate = Math.min(sum.rate, state.rate);
      sum.pausedUntil = Math.max(sum.pausedUntil, state.pausedUntil);
    }
    return sum;
  }

  /** One request through its lane; `receive` gets the answer and must see to it that `leave` is called once. */
  async #pass<Response extends Pick<TransportResponse, 'headers'>>(
    transport: (request: TransportRequest) => Promise<Response>,
    request: TransportRequest,
    receive: (response: Response, leave: (verdict: Verdict | undefined, bytes: number) => void) => Response,
  ): Promise<Response> {
    const { clock, budget = unlimitedBudget } = this.#options;
    const { url } = request;
    const lane = this.#lane(url);
    const turn = lane.enter(request.signal);
    if (turn) await turn;
    const startedAt = clock.now();
    let response: Response;
    try {
      const paid = budget.take();
      if (paid) await paid;
      response = await transport(request);
    } catch (error) {
      lane.leave(startedAt, verdictOf(error), { url });
      throw error;
    }
    const retryAfterMs = parseRetryAfter(response.headers['retry-after'], clock.now());
    return receive(response, (verdict, bytes) => lane.leave(startedAt, verdict, { url, bytes, retryAfterMs }));
  }

  #lane(url: string): Lane {
    const origin = originOf(url);
    let lane = this.#lanes.get(origin);
    if (!lane) {
      const { concurrency = 10, rate = 20, patienceMs = 15 * 60_000, clock, random } = this.#options;
      lane = new Lane({ concurrency, rate, patienceMs }, clock, random);
      this.#lanes.set(origin, lane);
    }
    return lane;
  }
}

/** What an error says about the origin: nothing, where we stopped by ourselves. */
function verdictOf(error: unknown): Verdict | undefined {
  const isTrouble = error instanceof HttpError && (error.code === 'ERR_FETCH_FAILED' || error.code === 'ERR_TIMEOUT');
  return isTrouble ? 'trouble' : undefined;
}
