import { classify, type Verdict } from './classify.js';
import { aborted, HttpError } from './errors.js';
import type { Clock, Transport, TransportRequest, TransportResponse } from './transport.js';

export interface RetryOptions {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Tries for one request when the origin fails; 429s are not counted among them. */
  attempts?: number | undefined;
  /** First pause between tries in milliseconds; doubled each time; each is shortened by up to half at random. */
  baseMs?: number | undefined;
  /** How long one request may be answered by nothing but 429s before the work stops with `ERR_RATE_LIMITED`. */
  patienceMs?: number | undefined;
}

/**
 * A transport that asks again when there was no answer: broken connections, 5xx, block pages, 429.
 * Resolves only with an answer (`classify` says `ok`). Rejects with `ERR_FETCH_FAILED`, `ERR_TIMEOUT` or `ERR_BLOCKED`
 * after the last try, with `ERR_RATE_LIMITED` when patience ends, and at once with what no retry mends (`ERR_ABORTED`, `ERR_TOO_LARGE`, …).
 * The pause that a 429 asks for is kept by the governor below, for all requests together.
 */
export function withRetry(transport: Transport, options: RetryOptions): Transport {
  return retrying(transport, options, { classify });
}

type Answer = Pick<TransportResponse, 'status' | 'headers'>;

/** What retrying must know of a kind of answers. */
interface Answers<Response extends Answer> {
  classify(response: Response): Verdict;
  /** Lets go of an answer that is not passed on. */
  discard?(response: Response): Promise<void>;
}

/** {@link withRetry} for answers of any kind. */
export function retrying<Response extends Answer>(
  transport: (request: TransportRequest) => Promise<Response>,
  options: RetryOptions,
  answers: Answers<Response>,
): (request: TransportRequest) => Promise<Response> {
  const { clock, random, attempts = 6, baseMs = 250, patienceMs = 15 * 60_000 } = options;
  return async (request) => {
    let throttledSince: number | undefined;
    for (let failures = 0, throttles = 0; ; ) {
      const outcome = await attempt(transport, request);
      if (!(outcome instanceof Error)) {
        const verdict = answers.classify(outcome);
        if (verdict === 'ok') return outcome;
        await answers.discard?.(outcome);
        if (verdict === 'throttled') {
          throttles += 1;
          throttledSince ??= clock.now();
          if (clock.now() - throttledSince > patienceMs) throw rateLimited(request, outcome);
          await pause(clock, backoff(throttles, baseMs, random), request.signal);
          continue;
        }
      } else if (!isTransient(outcome)) {
        throw outcome;
      }
      failures += 1;
      if (failures >= attempts) throw failed(request, outcome, attempts);
      await pause(clock, backoff(failures, baseMs, random), request.signal);
    }
  };
}

async function attempt<Response>(
  transport: (request: TransportRequest) => Promise<Response>,
  request: TransportRequest,
): Promise<Response | Error> {
  try {
    return await transport(request);
  } catch (error) {
    return error instanceof Error ? error : new HttpError('ERR_FETCH_FAILED', String(error), { cause: error });
  }
}

function isTransient(error: Error): boolean {
  return error instanceof HttpError && (error.code === 'ERR_FETCH_FAILED' || error.code === 'ERR_TIMEOUT');
}

function backoff(failures: number, baseMs: number, random: () => number): number {
  return Math.min(30_000, baseMs * 2 ** Math.min(failures - 1, 10)) * (0.5 + random() / 2);
}

async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) throw aborted(signal);
  await clock.sleep(ms, signal);
}

function rateLimited(request: TransportRequest, response: Answer): HttpError {
  const wait = response.headers['retry-after'];
  return new HttpError(
    'ERR_RATE_LIMITED',
    `${request.url}: the origin kept answering ${response.status}${wait ? ` (Retry-After: ${wait})` : ''}; lower --rate, or continue later with the same command`,
    { status: response.status },
  );
}

function failed(request: TransportRequest, outcome: Answer | Error, attempts: number): HttpError {
  if (outcome instanceof Error) {
    const code = outcome instanceof HttpError ? outcome.code : 'ERR_FETCH_FAILED';
    const message = `${outcome.message} (${attempts} tries); check the address and the network`;
    return new HttpError(code, message, { cause: outcome });
  }
  const { status } = outcome;
  if (status >= 500) {
    const message = `${request.url}: status ${status} (${attempts} tries); the origin is in trouble, try again later`;
    return new HttpError('ERR_FETCH_FAILED', message, { status });
  }
  return new HttpError(
    'ERR_BLOCKED',
    `${request.url}: status ${status} with an HTML page instead of a registry's answer (${attempts} tries); check the address, or lower --rate`,
    { status },
  );
}
