import { encodeOrigin, type OrderedStore } from '@_all_docs/cache';
import {
  type Clock,
  Governor,
  originOf,
  type StreamingTransport,
  type Transport,
  type TransportRequest,
  withRedirects,
  withRetry,
  withStreamingRetry,
} from '@_all_docs/http';
import { type Env, MonthlyBudget, NPM_MONTHLY_REQUESTS } from '@_all_docs/worker';
import { availableParallelism } from 'node:os';
import { knowsDigest } from './body-digest.js';
import { CheckPool } from './check-pool.js';
import { systemClock } from './clock.js';
import { deriveOrigin, readNpmSettings, registryUrl } from './npm-config.js';
import { createAgent } from './undici-agent.js';
import { createUndiciStreamingTransport } from './undici-streaming-transport.js';
import { createUndiciTransport } from './undici-transport.js';
import { VERSION } from './version.js';
import { zlibCodec } from './zlib-codec.js';

/** How the registry is asked. */
export interface NetworkOptions {
  /** Replication host; derived for the public npm registry, to be given for any other one that is to be listed. */
  origin?: string | undefined;
  /** Registry; what npm's own configuration says unless given. */
  registry?: string | undefined;
  /** Requests in flight at once; 10 unless told. */
  concurrency?: number | undefined;
  /** Requests a second; 20 unless told, `Infinity` for no limit of our own. */
  rate?: number | undefined;
  /** Requests a month; five million on the public npm registry unless told, as its terms say, and no limit elsewhere. */
  budget?: number | undefined;
  /** Tries for one request when the registry fails; 6 unless told. */
  attempts?: number | undefined;
  /** The longest pause or silence of the registry that is waited for, in milliseconds; 15 minutes unless told. */
  patienceMs?: number | undefined;
  /** How to reach whoever runs this, for the User-Agent. */
  contact?: string | undefined;
  clock?: Clock;
  random?: () => number;
  /** Another way to sockets, below retry and governor. */
  transport?: Transport;
  /** The same for bodies that stream. */
  streaming?: StreamingTransport;
}

/** Who is asked, and with which credentials. */
export interface Origins {
  registry: string;
  /** The replication host; `undefined` where nobody knows it. */
  origin: string | undefined;
  authorization(): Promise<string | undefined>;
}

/** The part of an environment that asks the registry, at the pace of one governor. `close` it to let go of connections. */
export interface Network
  extends Pick<Env, 'origin' | 'registry' | 'transport' | 'clock' | 'random' | 'codec' | 'check' | 'matchesDigest'> {
  /** For bodies that are not to be held in memory. At the pace of the same governor; follows no redirect by itself. */
  streaming: StreamingTransport;
  governor: Governor;
  /** The month's budget; `undefined` where there is no limit. */
  budget: MonthlyBudget | undefined;
  /** Whether the replication host is known; without it packages can be fetched by name, not listed. */
  originKnown: boolean;
  /** Loads what the first request needs, while there is time. Its trouble is that request's. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

/** Looks up what the options leave open in npm's own configuration. Opens nothing. */
export async function resolveOrigins(options: NetworkOptions): Promise<Origins> {
  // npm's library takes a while to load: where the registry is given, only its credentials are missing, for later.
  const settings = once(() => readNpmSettings(options.registry, { cwd: process.cwd(), env: process.env }));
  const registry = options.registry === undefined ? (await settings()).registry : registryUrl(options.registry);
  const origin = options.origin === undefined ? deriveOrigin(registry) : registryUrl(options.origin);
  return { registry, origin, authorization: async () => (await settings()).authorization };
}

/** undici below redirects, governor and retry. The month's requests are counted in the rows. */
export function openNetwork(
  { registry, origin, authorization }: Origins,
  options: NetworkOptions,
  ordered: OrderedStore,
): Network {
  const { clock = systemClock, random = Math.random, concurrency = 10, rate = 20 } = options;
  const limit = options.budget ?? (encodeOrigin(registry) === 'npm' ? NPM_MONTHLY_REQUESTS : undefined);
  const budget = limit === undefined ? undefined : new MonthlyBudget(ordered, clock, limit);
  const pool = new CheckPool(Math.max(1, Math.min(4, availableParallelism() - 1)));
  const { attempts, patienceMs } = options;
  const governor = new Governor({ clock, random, concurrency, rate, budget, patienceMs });
  const retries = { clock, random, attempts, patienceMs };
  const sockets = options.transport
    ? { transport: options.transport, close: async () => {} }
    : createUndiciTransport({ userAgent: userAgent(options.contact), connections: concurrency });
  const streams = options.streaming
    ? { transport: options.streaming, close: async () => {} }
    : createUndiciStreamingTransport({ userAgent: userAgent(options.contact), connections: concurrency });
  const authorized = withAuthorization(sockets.transport, registry, authorization);
  const streaming = withAuthorization(streams.transport, registry, authorization);
  return {
    origin: origin ?? registry,
    originKnown: origin !== undefined,
    registry,
    transport: withRetry(governor.wrap(withRedirects(authorized)), retries),
    streaming: withStreamingRetry(governor.wrapStreaming(streaming), retries),
    governor,
    budget,
    clock,
    random,
    codec: zlibCodec,
    check: pool.check,
    matchesDigest: knowsDigest,
    async warmUp() {
      const agent = createAgent({}, process.env).then((opened) => opened.close());
      await Promise.allSettled([authorization(), agent]);
    },
    async close() {
      await sockets.close();
      await streams.close();
      await pool.close();
      await budget?.settle();
    },
  };
}

/** Credentials go to the registry that they are for, and nowhere else. */
function withAuthorization<Response>(
  transport: (request: TransportRequest) => Promise<Response>,
  registry: string,
  credentials: () => Promise<string | undefined>,
): (request: TransportRequest) => Promise<Response> {
  const host = originOf(registry);
  let known: { authorization: string | undefined } | undefined;
  return async (request) => {
    if (originOf(request.url) !== host) return transport(request);
    known ??= { authorization: await credentials() };
    const { authorization } = known;
    if (authorization === undefined) return transport(request);
    return transport({ ...request, headers: { ...request.headers, authorization } });
  };
}

/** The same work, done at the first call; tried again when it failed. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work().catch((error) => {
      done = undefined;
      throw error;
    });
    return done;
  };
}

function userAgent(contact: string | undefined): string {
  return `_all_docs/${VERSION} (+npm:@_all_docs/cli${contact ? `; ${contact.replace(/[^\x20-\x7e]|[()]/g, '')}` : ''})`;
}
