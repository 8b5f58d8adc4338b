import {
  aborted,
  HttpError,
  MAX_DECODED_BYTES,
  type StreamingTransport,
  type Transport,
  type TransportRequest,
  tooLarge,
} from '@_all_docs/http';

export interface FetchTransportOptions {
  userAgent: string;
  /** How long an answer may take, to its last byte, in milliseconds; 30 s unless told. */
  timeoutMs?: number | undefined;
  /** Bodies that unpack to more end with `ERR_TOO_LARGE`; 256 MiB unless told. */
  maxBytes?: number | undefined;
  fetch?: typeof fetch | undefined;
}

/**
 * The runtime's `fetch`. It unpacks bodies and keeps the headers of what they were, so what came packed is packed again,
 * once, as it arrives: it is never held unpacked.
 */
export function createFetchTransport(options: FetchTransportOptions): Transport {
  const { maxBytes = MAX_DECODED_BYTES } = options;
  return async (request) => {
    try {
      const { response, headers, wasPacked } = await exchange(request, options);
      let length = 0;
      const limited = response.body?.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(piece, controller) {
            length += piece.length;
            if (length > maxBytes) throw tooLarge(maxBytes);
            controller.enqueue(piece);
          },
        }),
      );
      const packed = wasPacked ? limited?.pipeThrough(new CompressionStream('gzip')) : limited;
      const body = new Uint8Array(await new Response(packed ?? null).arrayBuffer());
      const { status } = response;
      // Packed nothing is still some bytes.
      if (length === 0) return { status, headers, body: new Uint8Array(0), encoding: 'identity' };
      return { status, headers, body, encoding: wasPacked ? 'gzip' : 'identity' };
    } catch (error) {
      throw failure(request, error);
    }
  };
}

/** The same for bodies that arrive while they are read; they come unpacked. */
export function createFetchStreaming(options: FetchTransportOptions): StreamingTransport {
  return async (request) => {
    try {
      const { response, headers } = await exchange(request, options);
      const pieces = (response.body ?? new Blob().stream())[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      // By hand: a generator that nobody has asked yet hears nothing of `return`.
      const body: AsyncIterator<Uint8Array> = {
        next: () =>
          pieces.next().catch((error) => {
            throw failure(request, error);
          }),
        return: async () => (await pieces.return?.()) ?? { done: true, value: undefined },
      };
      return { status: response.status, headers, body: { [Symbol.asyncIterator]: () => body } };
    } catch (error) {
      throw failure(request, error);
    }
  };
}

async function exchange(
  { url, method = 'GET', headers = {}, body, signal }: TransportRequest,
  { userAgent, timeoutMs = 30_000, fetch: send = fetch }: FetchTransportOptions,
): Promise<{ response: Response; headers: Record<string, string>; wasPacked: boolean }> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await send(url, {
    method,
    headers: { 'user-agent': userAgent, ...headers },
    body: body ?? null,
    redirect: 'manual',
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  const {
    'content-encoding': coding = 'identity',
    'content-length': _,
    ...rest
  } = Object.fromEntries(response.headers) as Record<string, string>;
  return { response, headers: rest, wasPacked: coding !== 'identity' };
}

function failure({ url, signal }: TransportRequest, cause: unknown): Error {
  if (cause instanceof HttpError) return cause;
  if (signal?.aborted) return aborted(signal);
  const { name, message } = cause as Error;
  return new HttpError(name === 'TimeoutError' ? 'ERR_TIMEOUT' : 'ERR_FETCH_FAILED', `${url}: ${message}`, { cause });
}
