import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { aborted, concat, HttpError, originOf, parseEncoding, type Transport, type TransportRequest, type TransportResponse } from '@_all_docs/http';

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

/** undici's dispatch over kept-alive HTTP/1.1: bodies are handed on as they came, compressed. */
export function createUndiciTransport(options: UndiciTransportOptions): ClosableTransport {
  const { userAgent, maxBytes = 128 * 1024 * 1024, timeoutMs = 30_000, connections = 64 } = options;
  const settings = { connections, headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connect: { timeout: Math.min(timeoutMs, 10_000) } };
  const dispatcher = options.dispatcher ?? (usesProxy(process.env) ? new EnvHttpProxyAgent(settings) : new Agent(settings));
  return {
    transport: (request) => new Promise((resolve, reject) => exchange(dispatcher, request, userAgent, maxBytes, resolve, reject)),
    close: () => dispatcher.destroy(),
  };
}

/** Proxies are the environment's business (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), as with npm. */
function usesProxy(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env['HTTP_PROXY'] ?? env['http_proxy'] ?? env['HTTPS_PROXY'] ?? env['https_proxy']);
}

function exchange(
  dispatcher: Dispatcher,
  request: TransportRequest,
  userAgent: string,
  maxBytes: number,
  resolve: (response: TransportResponse) => void,
  reject: (error: Error) => void,
): void {
  const { url, method = 'GET', signal } = request;
  if (signal?.aborted) return reject(aborted(signal));
  const origin = originOf(url);
  const chunks: Uint8Array[] = [];
  let length = 0;
  let status = 0;
  let headers: Record<string, string> = {};
  let stop: (() => void) | undefined;
  const finish = (settle: () => void) => {
    if (stop) signal?.removeEventListener('abort', stop);
    settle();
  };
  try {
    dispatcher.dispatch(
      {
        origin,
        // As written: a URL object would resolve the dots of `@scope%2f..`.
        path: url.slice(origin.length).replace(/#.*/s, '') || '/',
        method,
        headers: { 'user-agent': userAgent, ...request.headers },
        body: request.body ?? null,
      },
      {
        onRequestStart(controller) {
          stop = () => controller.abort(aborted(signal));
          if (signal?.aborted) stop();
          else signal?.addEventListener('abort', stop, { once: true });
        },
        onResponseStart(_controller, statusCode, fields) {
          status = statusCode;
          headers = flatten(fields);
        },
        onResponseData(controller, chunk) {
          length += chunk.length;
          if (length > maxBytes) controller.abort(new HttpError('ERR_TOO_LARGE', `${url}: the body has more than ${maxBytes} bytes`));
          else chunks.push(chunk);
        },
        onResponseEnd() {
          finish(() => {
            try {
              const body = method === 'HEAD' || length === 0 ? new Uint8Array(0) : concat(chunks, length);
              resolve({ status, headers, body, encoding: body.length === 0 ? 'identity' : parseEncoding(headers['content-encoding']) });
            } catch (error) {
              reject(error as Error);
            }
          });
        },
        onResponseError(_controller, error) {
          finish(() => reject(failure(url, error)));
        },
      },
    );
  } catch (error) {
    finish(() => reject(failure(url, error as Error)));
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
  if (code === 'UND_ERR_INVALID_ARG') return new HttpError('ERR_BAD_URL', `${url}: ${reason}`, { cause: error });
  return new HttpError(TIMEOUTS.has(code) ? 'ERR_TIMEOUT' : 'ERR_FETCH_FAILED', `${url}: ${reason}`, { cause: error });
}
