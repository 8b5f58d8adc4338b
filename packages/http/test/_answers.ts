import type { Transport, TransportRequest, TransportResponse } from '@_all_docs/http';

export function answer(status = 200, headers: Record<string, string> = {}, text = '{}'): TransportResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: new TextEncoder().encode(text),
    encoding: 'identity',
  };
}

export const blockPage = (status: number) =>
  answer(status, { 'content-type': 'text/html' }, '<!DOCTYPE html><title>Attention Required!</title>');
export const throttle = (retryAfter?: string) =>
  answer(429, retryAfter === undefined ? {} : { 'retry-after': retryAfter });

/** A transport that gives each answer once, in order, and the last one from then on. */
export function script(...answers: (TransportResponse | Error)[]): Transport & { requests: TransportRequest[] } {
  const requests: TransportRequest[] = [];
  return Object.assign(
    async (request: TransportRequest) => {
      requests.push(request);
      const next = answers[Math.min(requests.length, answers.length) - 1] as TransportResponse | Error;
      if (next instanceof Error) throw next;
      return next;
    },
    { requests },
  );
}

/** The error that a promise ends with; `undefined` when it does not. */
export async function errorOf(
  promise: Promise<unknown>,
): Promise<(Error & { code?: string; status?: number }) | undefined> {
  return promise.then(
    () => undefined,
    (error) => error,
  );
}

export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return (await errorOf(promise))?.code;
}

/** Requests by the dozen over one governed transport, with what became of each. */
export class Load {
  readonly results: (TransportResponse | (Error & { code?: string }))[] = [];
  /** Times at which a request reached the origin. */
  readonly sent: number[] = [];
  asked = 0;
  inFlight = 0;
  mostInFlight = 0;
  readonly #transport: Transport;

  /** `wrap` puts the thing under test around the origin's `answerTo`. */
  constructor(wrap: (transport: Transport) => Transport, answerTo: Transport, now: () => number) {
    this.#transport = wrap(async (request) => {
      this.sent.push(now());
      this.inFlight += 1;
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
      try {
        return await answerTo(request);
      } finally {
        this.inFlight -= 1;
      }
    });
  }

  ask(count = 1, more: Partial<TransportRequest> = {}): void {
    for (let i = 0; i < count; i++) {
      this.asked += 1;
      this.#transport({ url: `https://origin.example/${this.asked}`, ...more }).then(
        (response) => this.results.push(response),
        (error) => this.results.push(error),
      );
    }
  }

  get codes(): (string | number | undefined)[] {
    return this.results.map((result) => (result instanceof Error ? (result as { code?: string }).code : result.status));
  }

  /** The most requests sent in any window of so many milliseconds. */
  mostWithin(ms: number): number {
    let most = 0;
    for (let first = 0, last = 0; last < this.sent.length; last++) {
      while ((this.sent[last] as number) - (this.sent[first] as number) >= ms) first += 1;
      most = Math.max(most, last - first + 1);
    }
    return most;
  }
}
