/** What an answer depends on: a `Request` is one. */
export interface AnswerRequest {
  readonly method: string;
  /** Tells the host where there is no Host header. */
  readonly url: string;
  readonly headers: Pick<Headers, 'get'>;
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** What is sent, before it is a `Response`: headers flat, name and value in turn. */
export interface Answer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined;
}

const encoder = new TextEncoder();

/** Statuses of what goes wrong, by code. What is not here is a 500: trouble of our own. */
const STATUS: Record<string, number> = {
  ERR_BAD_HOST: 400,
  ERR_BAD_NAME: 400,
  ERR_BAD_PATH: 400,
  ERR_NOT_FOUND: 404,
  ERR_BODY_TOO_LARGE: 413,
  ERR_BAD_PACKUMENT: 502,
  ERR_BAD_URL: 502,
  ERR_BLOCKED: 502,
  ERR_ENCODING: 502,
  ERR_FETCH_FAILED: 502,
  ERR_FORBIDDEN_HOST: 502,
  ERR_INTEGRITY: 502,
  ERR_NOT_REGISTRY: 502,
  ERR_TOO_LARGE: 502,
  ERR_TOO_MANY_REDIRECTS: 502,
  ERR_ABORTED: 503,
  ERR_BUDGET_EXHAUSTED: 503,
  ERR_BUSY: 503,
  ERR_CHANGED: 503,
  ERR_ORIGIN_DOWN: 503,
  ERR_RATE_LIMITED: 503,
  ERR_THROTTLED: 503,
  ERR_OFFLINE: 504,
  ERR_TIMEOUT: 504,
};

/** A JSON answer that nobody keeps. */
export function jsonAnswer(status: number, value: unknown, headers: readonly string[] = []): Answer {
  const body = encoder.encode(JSON.stringify(value));
  return {
    status,
    headers: [
      'content-type',
      'application/json',
      'content-length',
      String(body.length),
      'cache-control',
      'no-store',
      ...headers,
    ],
    body,
  };
}

/** npm's answer for what does not exist. */
export function notFound(error = 'Not found'): Answer {
  return jsonAnswer(404, { error });
}

/** What a client is told when something goes wrong, in npm's shape. A 404 is never made of the origin's trouble. */
export function errorAnswer(error: unknown): Answer {
  const {
    code = 'ERR_INTERNAL',
    status: said,
    message,
    retryAfter,
  } = error as { code?: string; status?: number; message?: string; retryAfter?: number };
  const status = statusOf(code, said);
  // Our own trouble is for our own log: its text may name paths.
  const text = status === 500 ? 'the replica cannot answer this now; its log says why' : message;
  return jsonAnswer(status, { code, error: text }, retryAfter === undefined ? [] : ['retry-after', String(retryAfter)]);
}

function statusOf(code: string, said: number | undefined): number {
  if (code === 'ERR_FETCH_FAILED' && (said === 503 || said === 504)) return said;
  return STATUS[code] ?? 500;
}

/** The answer as the web platform has it; no body for HEAD. */
export function toResponse({ status, headers, body }: Answer, method: string): Response {
  const fields: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) fields.push([headers[i] as string, headers[i + 1] as string]);
  const init = {
    status,
    headers: fields,
    // Where the platform would pack the body by itself (Workers), it is told that this was done.
    encodeBody: 'manual',
  };
  return new Response(method === 'HEAD' ? null : ((body ?? null) as BodyInit | null), init);
}
