import {
  aborted,
  concat,
  HttpError,
  LARGE_BODY_BYTES,
  originOf,
  parseEncoding,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '@_all_docs/http';
import type { Dispatcher } from 'undici';
import { LargeBody } from './large-body.js';
import { createAgent } from './undici-agent.js';

export interface UndiciTransportOptions {
  userAgent: string;
  /** Bodies beyond this end with `ERR_TOO_LARGE`; 128 MiB unless told: the registry's own cap is 100 MB. */
  maxBytes?: number;
  /** Silence that ends a request, before the headers and between two pieces of the body; 30 s unless told. */
  timeoutMs?: number;
  /** Connections to one origin; 64 unless told. */
  connections?: number;
  /** For tests: another way to sockets. */
  dispatcher?: Dispatcher;
}

/** A transport with connections to let go of. */
export interface ClosableTransport {
  transport: Transport;
  close(): Promise<void>;
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * undici's dispatch over kept-alive HTTP/1.1: bodies are handed on as they came, compressed. A plain one of more than
 * `LARGE_BODY_BYTES` is handed on as gzip.
 */
export function createUndiciTransport(options: UndiciTransportOptions): ClosableTransport {
  const { userAgent, maxBytes = 128 * 1024 * 1024, timeoutMs = 30_000, connections = 64 } = options;
  const settings = {
    connections,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: Math.min(timeoutMs, 10_000) },
  };
  let { dispatcher } = options;
  const exchange = (request: TransportRequest, through: Dispatcher) =>
    new Promise<TransportResponse>((resolve, reject) => {
      if (request.signal?.aborted) reject(aborted(request.signal));
      else new Exchange(request, maxBytes, resolve, reject).dispatch(through, userAgent);
    });
  let opening: Promise<Dispatcher> | undefined;
  return {
    async transport(request) {
      if (dispatcher) return exchange(request, dispatcher);
      opening ??= createAgent(settings, process.env);
      dispatcher = await opening;
      return exchange(request, dispatcher);
    },
    async close() {
      await (dispatcher ?? (await opening))?.destroy();
    },
  };
}

/** One request under way: undici tells it what arrives, it settles the promise once. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: TransportRequest;
  readonly #maxBytes: number;
  readonly #resolve: (response: TransportResponse) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Uint8Array[] = [];
  #large: LargeBody | undefined;
  #length = 0;
  #status = 0;
  #headers: Record<string, string> = {};
  #stop: (() => void) | undefined;

  constructor(
    request: TransportRequest,
    maxBytes: number,
    resolve: (response: TransportResponse) => void,
    reject: (error: Error) => void,
  ) {
    this.#request = request;
    this.#maxBytes = maxBytes;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  dispatch(dispatcher: Dispatcher, userAgent: string): void {
    const { url, method = 'GET', headers, body = null } = this.#request;
    const origin = originOf(url);
    // As written: a URL object would resolve the dots of `@scope%2f..`.
    const path = url.slice(origin.length).replace(/#.*/s, '') || '/';
    try {
      dispatcher.dispatch({ origin, path, method, body, headers: { 'user-agent': userAgent, ...headers } }, this);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { signal } = this.#request;
    this.#stop = () => controller.abort(aborted(signal));
    if (signal?.aborted) this.#stop();
    else signal?.addEventListener('abort', this.#stop, { once: true });
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#headers = flatten(fields);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length > this.#maxBytes) {
      const message = `${this.#request.url}: the body has more than ${this.#maxBytes} bytes`;
      controller.abort(new HttpError('ERR_TOO_LARGE', message));
    } else if (this.#large) {
      this.#large.push(chunk);
    } else {
      this.#chunks.push(chunk);
      if (this.#length > LARGE_BODY_BYTES) this.#enlarge(controller);
    }
  }

  /** The body turns out to be large. */
  #enlarge(controller: Dispatcher.DispatchController): void {
    try {
      this.#large = new LargeBody(parseEncoding(this.#headers['content-encoding']), this.#maxBytes, controller);
      for (const chunk of this.#chunks.splice(0)) this.#large.push(chunk);
    } catch (error) {
      controller.abort(error as Error);
    }
  }

  onResponseEnd(): void {
    this.#release();
    const [status, headers] = [this.#status, this.#headers];
    if (this.#large) {
      this.#large.end().then((whole) => this.#resolve({ status, headers, ...whole }), this.#reject);
      return;
    }
    const body = concat(this.#chunks, this.#length);
    try {
      const encoding = body.length === 0 ? 'identity' : parseEncoding(headers['content-encoding']);
      this.#resolve({ status, headers, body, encoding });
    } catch (error) {
      this.#reject(error as Error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#release();
    this.#large?.destroy();
    this.#reject(failure(this.#request.url, error));
  }

  #release(): void {
    if (this.#stop) this.#request.signal?.removeEventListener('abort', this.#stop);
  }
}

function flatten(fields: Record<string, string | string[] | undefined>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

function failure(url: string, error: Error): HttpError {
  if (error instanceof HttpError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const reason = error.message || code || error.name;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'ERR_INVALID_URL')
    return new HttpError('ERR_BAD_URL', `${url}: ${reason}`, { cause: error });
  return new HttpError(TIMEOUTS.has(code) ? 'ERR_TIMEOUT' : 'ERR_FETCH_FAILED', `${url}: ${reason}`, { cause: error });
}
