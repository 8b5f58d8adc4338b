import {
  HttpError,
  parseEncoding,
  type StreamingTransport,
  type Transport,
  type TransportRequest,
} from '@_all_docs/http';
import { CacheOverride } from 'fastly:cache-override';
import type { BackendFor } from './backends.js';
import { VERSION } from './version.js';

/** A sandbox has 128 MB for everything. */
const MOST_BYTES = 48 * 1024 * 1024;
const USER_AGENT = `_all_docs/${VERSION} (+npm:@_all_docs/worker-fastly)`;

/**
 * Whole answers through backends, as packed as they come: the host unpacks nothing unless it is told to. Nothing of them
 * stays in the host's own HTTP cache: freshness is the registry's business.
 */
export function backendTransport(backendFor: BackendFor): Transport {
  return async (request) => {
    const response = await send(request, backendFor, true);
    const headers = headersOf(response);
    const encoding = parseEncoding(headers['content-encoding']);
    const said = lengthOf(headers);
    if (said !== undefined && said > MOST_BYTES) {
      throw new HttpError('ERR_TOO_LARGE', `${request.url}: ${said} bytes do not fit into a sandbox`);
    }
    const body = new Uint8Array(await wholeOf(request, response));
    const isWhole = request.method === 'HEAD' || said === undefined || said === body.length;
    if (!isWhole) throw broken(request, new Error(`${body.length} of ${said} bytes came`));
    return { status: response.status, headers, body, encoding };
  };
}

/** Answers whose bodies arrive while they are read. The host's HTTP cache keeps them as long as their own headers allow, for all sandboxes of a data centre. */
export function backendStreaming(backendFor: BackendFor): StreamingTransport {
  return async (request) => {
    const response = await send(request, backendFor, request.headers?.['cache-control'] === 'no-cache');
    const body = response.body as (ReadableStream<Uint8Array> & AsyncIterable<Uint8Array>) | null;
    return { status: response.status, headers: headersOf(response), body: arriving(request, body) };
  };
}

async function send(request: TransportRequest, backendFor: BackendFor, pass: boolean): Promise<Response> {
  const { url, method = 'GET', headers, body } = request;
  const backend = backendFor(url);
  try {
    return await fetch(url, {
      method,
      headers: { 'user-agent': USER_AGENT, ...headers },
      ...(body ? { body } : {}),
      ...(pass ? { cacheOverride: new CacheOverride('pass') } : {}),
      backend,
    });
  } catch (cause) {
    throw broken(request, cause);
  }
}

async function wholeOf(request: TransportRequest, response: Response): Promise<ArrayBuffer> {
  try {
    return await response.arrayBuffer();
  } catch (cause) {
    throw broken(request, cause);
  }
}

async function* arriving(
  request: TransportRequest,
  body: AsyncIterable<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (body) yield* body;
  } catch (cause) {
    throw broken(request, cause);
  }
}

function headersOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries(headers.entries());
}

function lengthOf(headers: Record<string, string>): number | undefined {
  const text = headers['content-length'] ?? '';
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function broken({ url }: TransportRequest, cause: unknown): HttpError {
  return new HttpError('ERR_FETCH_FAILED', `${url}: ${cause instanceof Error ? cause.message : cause}`, { cause });
}
