import { classify, type Transport, type TransportRequest, type TransportResponse } from '@_all_docs/http';
import { CoreCache, type TransactionCacheEntry } from 'fastly:cache';

/** How long an answer is there for those who asked at the same time, in milliseconds. */
const SHARED_MS = 2_000;
/** Longest key of the Core Cache, in characters. */
const MAX_KEY = 8_135;
/** How long another sandbox's request is waited for, in milliseconds; then one's own is sent. */
const WAIT_MS = 20_000;
/** What may be told to others: the origin's word, not its trouble. */
const SHARED = new Set([200, 304, 404, 410, 451]);

interface Head extends Pick<TransportResponse, 'status' | 'encoding'> {
  headers: Record<string, string>;
}

/**
 * Requests for the same thing at the same time are one request to the origin, for all sandboxes of a data centre: a
 * transaction of the Core Cache lets one ask, and the others wait. What one sandbox asks for again goes to the origin: it
 * was not content with the answer. Answers past caches (with a query) and failures are not shared.
 */
export function collapsing(transport: Transport): Transport {
  const asked = new Set<string>();
  return async (request) => {
    const key = keyOf(request);
    if (key === undefined || asked.has(key)) return transport(request);
    asked.add(key);
    const entry = await turn(key);
    if (!entry) return transport(request);
    if (!entry.state().mustInsertOrUpdate()) return (await held(entry)) ?? transport(request);
    let response: TransportResponse;
    try {
      response = await transport(request);
    } catch (error) {
      entry.cancel();
      throw error;
    }
    if (SHARED.has(response.status) && classify(response) === 'ok') share(entry, response);
    else entry.cancel();
    return response;
  };
}

/** `undefined` for what is not shared. */
function keyOf({ url, method = 'GET', headers = {}, body }: TransportRequest): string | undefined {
  if (method !== 'GET' || body || url.includes('?')) return undefined;
  const key = JSON.stringify([url, ...Object.entries(headers).sort()]);
  return key.length <= MAX_KEY ? key : undefined;
}

/** The entry when it is this request's turn; `undefined` where the cache is in trouble, or another one takes too long. */
async function turn(key: string): Promise<TransactionCacheEntry | undefined> {
  try {
    return await CoreCache.transactionLookupAsync(key).wait(WAIT_MS);
  } catch {
    return undefined;
  }
}

async function held(entry: TransactionCacheEntry): Promise<TransportResponse | undefined> {
  try {
    const head = JSON.parse(new TextDecoder().decode(entry.userMetadata())) as Head;
    return { ...head, body: new Uint8Array(await new Response(entry.body()).arrayBuffer()) };
  } catch {
    return undefined;
  }
}

function share(entry: TransactionCacheEntry, { status, headers, encoding, body }: TransportResponse): void {
  const userMetadata = JSON.stringify({ status, headers, encoding } satisfies Head);
  const writer = entry.insert({ maxAge: SHARED_MS, length: body.length, userMetadata });
  if (body.length > 0) writer.append(body);
  writer.close();
}
