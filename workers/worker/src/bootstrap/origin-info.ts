import { BaseHTTPClient, HttpError, type RegistryResponse } from '@_all_docs/http';
import type { Env } from '../interfaces.js';

/** The origin's root document: how many names it has and where its feed stands. */
export interface OriginInfo {
  docCount: number;
  /** `undefined` where the origin has no feed. */
  updateSeq: number | undefined;
  /** Where it is a replica like this one: it has more to offer than npm's protocol. */
  isReplica?: true;
}

const TRIES = 4;

/** Asks the replication host who it is; a damaged answer is asked for again. `ERR_NOT_REGISTRY` when it does not answer like one. */
export async function readOriginInfo(
  env: Pick<Env, 'origin' | 'transport' | 'codec'>,
  signal?: AbortSignal,
): Promise<OriginInfo> {
  const client = new BaseHTTPClient(env);
  for (let tries = 1; ; tries++) {
    const said = await askRoot(client, signal);
    if (typeof said !== 'string') return said;
    if (tries === TRIES) throw notRegistry(env.origin, said);
  }
}

/** The root document, or in words what came instead. */
async function askRoot(client: BaseHTTPClient, signal: AbortSignal | undefined): Promise<OriginInfo | string> {
  let response: RegistryResponse;
  try {
    response = await client.request('/', {
      headers: { accept: 'application/json', 'accept-encoding': 'gzip' },
      signal,
    });
  } catch (error) {
    if (!(error instanceof HttpError) || (error.code !== 'ERR_BLOCKED' && error.code !== 'ERR_ENCODING')) throw error;
    return error.message;
  }
  const info = response.ok ? parse(response) : undefined;
  if (typeof info?.['doc_count'] !== 'number') return `${response.statusCode} without a doc_count`;
  const seq = Number(info['update_seq']);
  return {
    docCount: info['doc_count'],
    updateSeq: Number.isSafeInteger(seq) ? seq : undefined,
    ...(info['engine'] === 'all-docs' ? { isReplica: true } : {}),
  };
}

/**
 * How many names lie in a range by the origin's own offsets: two requests of one row each. `undefined` where the origin
 * gives no offsets. An estimate for plans, never a proof.
 */
export async function countRange(
  env: Pick<Env, 'origin' | 'transport' | 'codec'>,
  range: { startKey: string | null; endKey: string | null },
  docCount: number,
): Promise<number | undefined> {
  const client = new BaseHTTPClient(env);
  const offset = async (key: string | null, otherwise: number): Promise<number | undefined> => {
    if (key === null) return otherwise;
    const startkey = encodeURIComponent(JSON.stringify(key));
    const response = await client.request(`/_all_docs?startkey=${startkey}&limit=1`, {
      headers: { accept: 'application/json' },
    });
    const page = response.ok ? parse(response) : undefined;
    return typeof page?.['offset'] === 'number' ? page['offset'] : undefined;
  };
  const from = await offset(range.startKey, 0);
  const to = await offset(range.endKey, docCount);
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

function parse(response: RegistryResponse): Record<string, unknown> | undefined {
  try {
    const value = response.json();
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Not JSON: the caller says what it expected and what came.
    return undefined;
  }
}

function notRegistry(origin: string, what: string): HttpError {
  return new HttpError(
    'ERR_NOT_REGISTRY',
    `${origin} is not a registry's replication host (it answered ${what}); check --origin, or choose packages with --names or --lockfile, which need no listing`,
  );
}
