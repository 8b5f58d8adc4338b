import { aborted, type HttpError, type StreamingResponse, type StreamingTransport } from '@_all_docs/http';
import type { Dispatcher } from 'undici';
import { createAgent } from './undici-agent.js';
import { flatten, UndiciExchange } from './undici-exchange.js';

export interface UndiciStreamingOptions {
  userAgent: string;
  /** Bodies beyond this end with `ERR_TOO_LARGE`; 1 GiB unless told. */
  maxBytes?: number;
  /** Silence that ends a request, before the headers and between two pieces of the body; 30 s unless told. */
  timeoutMs?: number;
  /** Connections to one origin; 64 unless told. */
  connections?: number;
}

/** A transport with connections to let go of. */
export interface ClosableStreamingTransport {
  transport: StreamingTransport;
  close(): Promise<void>;
}

/** Received and not yet read: above the first the origin has to wait, below the second it goes on. */
const PAUSE_BYTES = 256 * 1024;
const RESUME_BYTES = 64 * 1024;
/** What is left of a body is received to its end rather than losing the connection. */
const SMALL_BYTES = 64 * 1024;

/** undici's dispatch over kept-alive HTTP/1.1, with bodies that arrive while they are read. Opens nothing before the first request. */
export function createUndiciStreamingTransport(options: UndiciStreamingOptions): ClosableStreamingTransport {
  const { userAgent, maxBytes = 1024 * 1024 * 1024, timeoutMs = 30_000, connections = 64 } = options;
  const settings = {
    connections,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: Math.min(timeoutMs, 10_000) },
  };
  let opening: Promise<Dispatcher> | undefined;
  return {
    async transport(request) {
      opening ??= createAgent(settings, process.env);
      const dispatcher = await opening;
      if (request.signal?.aborted) throw aborted(request.signal);
      return new StreamingExchange(request, maxBytes).dispatch(dispatcher, userAgent);
    },
    async close() {
      await (await opening)?.destroy();
    },
  };
}

/** undici tells it what arrives, and the reader of the body takes it from here. */
class StreamingExchange extends UndiciExchange implements AsyncIterator<Uint8Array> {
  readonly #head = Promise.withResolvers<StreamingResponse>();
  readonly #pieces: Uint8Array[] = [];
  #waiting = 0;
  #announced = Number.POSITIVE_INFINITY;
  #controller: Dispatcher.DispatchController | undefined;
  #isPaused = false;
  #isOver = false;
  #isLeft = false;
  #error: Error | undefined;
  #reader: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined;

  dispatch(dispatcher: Dispatcher, userAgent: string): Promise<StreamingResponse> {
    this.send(dispatcher, userAgent);
    return this.#head.promise;
  }

  override onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    super.onRequestStart(controller);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
  ): void {
    // 103 and its like come before the answer.
    if (status < 200) return;
    const headers = flatten(fields);
    const length = headers['content-length'];
    if (length !== undefined && /^\d+$/.test(length)) this.#announced = Number(length);
    this.#head.resolve({ status, headers, body: { [Symbol.asyncIterator]: () => this } });
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Uint8Array): void {
    if (!this.admits(piece, controller) || this.#isLeft) return;
    if (this.#reader) {
      this.#answer({ done: false, value: piece });
    } else {
      this.#pieces.push(piece);
      this.#waiting += piece.length;
      if (this.#waiting <= PAUSE_BYTES || this.#isPaused) return;
      this.#isPaused = true;
      controller.pause();
    }
  }

  onResponseEnd(): void {
    this.#end();
    this.#answer({ done: true, value: undefined });
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const piece = this.#pieces.shift();
    if (piece) {
      this.#waiting -= piece.length;
      if (this.#isPaused && this.#waiting < RESUME_BYTES) {
        this.#isPaused = false;
        this.#controller?.resume();
      }
      return { done: false, value: piece };
    }
    if (this.#error) throw this.#error;
    if (this.#isOver || this.#isLeft) return { done: true, value: undefined };
    this.#reader ??= Promise.withResolvers();
    return this.#reader.promise;
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#isLeft = true;
    this.#pieces.length = 0;
    if (!this.#isOver && this.#announced - this.length > SMALL_BYTES) {
      this.#controller?.abort(aborted());
    } else if (this.#isPaused) this.#controller?.resume();
    this.#answer({ done: true, value: undefined });
    return { done: true, value: undefined };
  }

  #answer(result: IteratorResult<Uint8Array>): void {
    this.#reader?.resolve(result);
    this.#reader = undefined;
  }

  protected override fail(error: HttpError): void {
    this.#end();
    this.#error = error;
    this.#head.reject(error);
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  #end(): void {
    this.#isOver = true;
    this.release();
  }
}
