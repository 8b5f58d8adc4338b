import { classify, type Verdict } from './classify.js';
import { redirected, tooManyRedirects } from './redirect.js';
import { type RetryOptions, retrying } from './retry.js';
import type { TransportRequest } from './transport.js';

/** An answer whose body arrives while it is read. */
export interface StreamingResponse {
  status: number;
  /** Names in lower case; a repeated field is joined with `, `. */
  headers: Record<string, string>;
  /**
   * The bytes as they are sent on the wire; whoever wants them as they lie at the origin asks with `accept-encoding:
   * identity`. For one reader, who reads to the end or leaves ({@link closeBody}): until then the exchange holds its
   * connection and its place in the governor. A body that is cut ends with `ERR_FETCH_FAILED`, one that falls silent
   * with `ERR_TIMEOUT`, one beyond the transport's limit with `ERR_TOO_LARGE`. No piece is used again after it was given.
   */
  body: AsyncIterable<Uint8Array>;
}

/**
 * One exchange with one origin, for bodies that are not to be held in memory. Resolves when the headers are there, with
 * whatever status came; rejects as a `Transport` does. The request's `signal` ends the body, too.
 */
export type StreamingTransport = (request: TransportRequest) => Promise<StreamingResponse>;

/** Ends an exchange whose body nobody has begun to read. */
export async function closeBody({ body }: Pick<StreamingResponse, 'body'>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}

/** `classify` by status and headers alone. */
export function classifyHead({ status, headers }: Pick<StreamingResponse, 'status' | 'headers'>): Verdict {
  return classify({ status, headers, body: new Uint8Array(0), encoding: 'identity' });
}

/** `withRetry` for streams: asks again while there is no answer. A body that breaks later is the reader's business. */
export function withStreamingRetry(transport: StreamingTransport, options: RetryOptions): StreamingTransport {
  return retrying<StreamingResponse>(transport, options, { classify: classifyHead, discard: closeBody });
}

export interface StreamingRedirectOptions {
  /** How many are followed; 5 unless told. `ERR_TOO_MANY_REDIRECTS` past that. */
  limit?: number;
  /** Sees every URL before it is asked, the first one too, and throws for one that must not be. */
  check?: (url: string) => void;
}

/** `withRedirects` for streams, with a say in where they lead. */
export function withStreamingRedirects(
  transport: StreamingTransport,
  { limit = 5, check }: StreamingRedirectOptions = {},
): StreamingTransport {
  return async (request) => {
    let next = request;
    for (let hops = 0; hops <= limit; hops++) {
      check?.(next.url);
      const response = await transport(next);
      let following: TransportRequest | undefined;
      try {
        following = redirected(next, response);
      } catch (error) {
        await closeBody(response);
        throw error;
      }
      if (!following) return response;
      await closeBody(response);
      next = following;
    }
    throw tooManyRedirects(request, limit);
  };
}

/** The same body; `ended` hears once, however it ends: the bytes that were read, and the error if there was one. */
export function watched(
  body: AsyncIterable<Uint8Array>,
  ended: (bytes: number, error?: unknown) => void,
): AsyncIterable<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let bytes = 0;
  let isOver = false;
  const end = (error?: unknown) => {
    if (isOver) return;
    isOver = true;
    ended(bytes, error);
  };
  // By hand: a generator that nobody has asked yet hears nothing of `return`.
  const watching: AsyncIterator<Uint8Array> = {
    async next() {
      try {
        const result = await iterator.next();
        if (result.done) end();
        else bytes += result.value.length;
        return result;
      } catch (error) {
        end(error ?? new Error('the body broke'));
        throw error;
      }
    },
    async return() {
      end();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => watching };
}
