import {
  aborted,
  concat,
  type HttpError,
  LARGE_BODY_BYTES,
  parseEncoding,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '@_all_docs/http';
import type { Dispatcher } from 'undici';
import { LargeBody } from './large-body.js';
import { createAgent } from './undici-agent.js';
import { flatten, UndiciExchange } from './undici-exchange.js';

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
      else new Exchange(request, maxBytes, { resolve, reject }).send(through, userAgent);
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

interface Settling {
  resolve(response: TransportResponse | PromiseLike<TransportResponse>): void;
  reject(error: unknown): void;
}

/** Gathers the body, and settles the promise once. */
class Exchange extends UndiciExchange {
  readonly #maxBytes: number;
  readonly #promise: Settling;
  readonly #chunks: Uint8Array[] = [];
  #large: LargeBody | undefined;
  #status = 0;
  #headers: Record<string, string> = {};

  constructor(request: TransportRequest, maxBytes: number, promise: Settling) {
    super(request, maxBytes);
    this.#maxBytes = maxBytes;
    this.#promise = promise;
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
    if (!this.admits(chunk, controller)) return;
    if (this.#large) {
      this.#large.push(chunk);
      return;
    }
    this.#chunks.push(chunk);
    if (this.length > LARGE_BODY_BYTES) this.#enlarge(controller);
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
    this.release();
    const [status, headers] = [this.#status, this.#headers];
    const { resolve, reject } = this.#promise;
    if (this.#large) {
      this.#large.end().then((whole) => resolve({ status, headers, ...whole }), reject);
      return;
    }
    const body = concat(this.#chunks, this.length);
    try {
      const encoding = body.length === 0 ? 'identity' : parseEncoding(headers['content-encoding']);
      resolve({ status, headers, body, encoding });
    } catch (error) {
      reject(error);
    }
  }

  protected override fail(error: HttpError): void {
    this.release();
    this.#large?.destroy();
    this.#promise.reject(error);
  }
}
