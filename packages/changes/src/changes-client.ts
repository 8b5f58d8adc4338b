import {
  BaseHTTPClient,
  type Codec,
  classify,
  HttpError,
  type Transport,
  type TransportResponse,
} from '@_all_docs/http';
import { type ChangesPage, readPage } from './changes-page.js';
import { ChangesError } from './errors.js';
import { assertSequence, toSequence } from './sequence.js';

/** The most rows that the origin gives for one request; asking for more is a 400. */
export const MAX_LIMIT = 10_000;

const HEADERS = { accept: 'application/json', 'accept-encoding': 'gzip' };

export interface ChangesClientOptions {
  env: { origin: string; transport: Transport; codec?: Codec | undefined };
}

/** The two questions that a follower asks the replication host. */
export class ChangesClient extends BaseHTTPClient {
  constructor({ env }: ChangesClientOptions) {
    super(env);
  }

  /**
   * The changes above `since`, at most `limit` of them. `ERR_BAD_PAGE` for a body that is cut or no page: nothing of it
   * is given, ask again with the same `since`. An `HttpError` when there was no answer: `ERR_RATE_LIMITED` (429),
   * `ERR_FETCH_FAILED` (5xx), `ERR_BLOCKED` (a block page), `ERR_NOT_REGISTRY` (any other status), and the transport's.
   */
  async page(
    since: number,
    { limit = MAX_LIMIT, signal }: { limit?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<ChangesPage> {
    assertSequence(since);
    assertLimit(limit);
    return readPage(await this.#ask(`/_changes?since=${since}&limit=${limit}`, signal), since);
  }

  /** The root document: how many names the origin lists, and the sequence of its latest change. `ERR_BAD_PAGE` when it does not say both. */
  async info({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<{ docCount: number; updateSeq: number }> {
    const body = await this.#ask('/', signal);
    let info: { doc_count?: unknown; update_seq?: unknown } | null;
    try {
      info = JSON.parse(new TextDecoder().decode(body));
    } catch (cause) {
      throw new ChangesError('ERR_BAD_PAGE', `${this.origin}/ is not whole JSON`, { cause });
    }
    const [docCount, updateSeq] = [toSequence(info?.doc_count), toSequence(info?.update_seq)];
    if (docCount === undefined || updateSeq === undefined) {
      throw new ChangesError('ERR_BAD_PAGE', `${this.origin}/ does not say doc_count and a numeric update_seq`);
    }
    return { docCount, updateSeq };
  }

  async #ask(path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const response = await this.send(path, { headers: HEADERS, signal });
    const verdict = classify(response);
    if (verdict !== 'ok' || response.status !== 200) throw refused(this.origin + path, verdict, response);
    try {
      return await this.codec.decode(response.body, response.encoding);
    } catch (cause) {
      if (!(cause instanceof HttpError) || cause.code !== 'ERR_ENCODING') throw cause;
      throw new ChangesError('ERR_BAD_PAGE', `${this.origin}${path}: the body cannot be unpacked`, { cause });
    }
  }
}

export function assertLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return;
  throw new ChangesError('ERR_BAD_LIMIT', `not a limit: ${limit}; the origin takes 1 to ${MAX_LIMIT}`);
}

function refused(url: string, verdict: ReturnType<typeof classify>, { status, headers }: TransportResponse): HttpError {
  if (verdict === 'throttled') {
    const seconds = Number(headers['retry-after']);
    return new HttpError('ERR_RATE_LIMITED', `${url}: status ${status}; ask more slowly`, {
      status,
      ...(seconds > 0 ? { retryAfter: seconds } : {}),
    });
  }
  if (status >= 500) return new HttpError('ERR_FETCH_FAILED', `${url}: status ${status}; try again later`, { status });
  if (verdict === 'trouble') {
    return new HttpError('ERR_BLOCKED', `${url}: status ${status} with a page instead of a registry's answer`, {
      status,
    });
  }
  return new HttpError('ERR_NOT_REGISTRY', `${url}: status ${status}; check the origin, it has no such feed`, {
    status,
  });
}
