import { aborted, HttpError, originOf, type TransportRequest } from '@_all_docs/http';
import type { Dispatcher } from 'undici';

/** One request under way: sent as it is written, and ended when its signal says so. What arrives is the matter of those that extend it. */
export abstract class UndiciExchange implements Dispatcher.DispatchHandler {
  protected readonly request: TransportRequest;
  readonly #maxBytes: number;
  #length = 0;
  #stop: (() => void) | undefined;

  constructor(request: TransportRequest, maxBytes: number) {
    this.request = request;
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the body that have come. */
  protected get length(): number {
    return this.#length;
  }

  send(dispatcher: Dispatcher, userAgent: string): void {
    const { url, method = 'GET', headers, body = null } = this.request;
    const origin = originOf(url);
    // As written: a URL object would resolve the dots of `@scope%2f..`.
    const path = url.slice(origin.length).replace(/#.*/s, '') || '/';
    try {
      dispatcher.dispatch({ origin, path, method, body, headers: { 'user-agent': userAgent, ...headers } }, this);
    } catch (error) {
      this.fail(failure(url, error as Error));
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const { signal } = this.request;
    this.#stop = () => controller.abort(aborted(signal));
    if (signal?.aborted) this.#stop();
    else signal?.addEventListener('abort', this.#stop, { once: true });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(failure(this.request.url, error));
  }

  /** Whether the body may grow by a piece; ends the request with `ERR_TOO_LARGE` where it may not. */
  protected admits(piece: Uint8Array, controller: Dispatcher.DispatchController): boolean {
    this.#length += piece.length;
    if (this.#length <= this.#maxBytes) return true;
    const message = `${this.request.url}: the body has more than ${this.#maxBytes} bytes`;
    controller.abort(new HttpError('ERR_TOO_LARGE', message));
    return false;
  }

  /** The request has come to an end, with or without trouble. */
  protected release(): void {
    if (this.#stop) this.request.signal?.removeEventListener('abort', this.#stop);
  }

  protected abstract fail(error: HttpError): void;
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']);

/** Header fields as undici gives them, in a transport's form. */
export function flatten(fields: Record<string, string | string[] | undefined>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** An error of undici's in a transport's words. */
function failure(url: string, error: Error): HttpError {
  if (error instanceof HttpError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const message = `${url}: ${error.message || code || error.name}`;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'ERR_INVALID_URL') {
    return new HttpError('ERR_BAD_URL', message, { cause: error });
  }
  return new HttpError(TIMEOUTS.has(code) ? 'ERR_TIMEOUT' : 'ERR_FETCH_FAILED', message, { cause: error });
}
