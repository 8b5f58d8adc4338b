import { ChangeLog } from '@_all_docs/changes';
import { ExpiryManager, Store } from '@_all_docs/content';
import { createLeaseFlight, NpmRegistry } from '@_all_docs/registry';
import { type FollowStatus, followStatus, type Logger } from '@_all_docs/worker';
import { availableParallelism } from 'node:os';
import { createNodeHashers } from '../blake3.js';
import { createEnv, type NodeEnv } from '../create-env.js';
import { DerivePool } from '../derive-pool.js';
import { FsBlobBackend } from '../fs-blob-backend.js';
import { zstdCodec } from '../zstd-codec.js';
import { keepFollowing } from './keep-following.js';
import type { ServeOptions } from './serve-options.js';
import { TarballMemory } from './tarball-memory.js';
import type { ServedRegistry } from './types.js';

const DEFAULT_MAX_BYTES = 10e9;
const DEFAULT_TTL_MS = 7 * 24 * 3600_000;
/** Requests that wait for the registry are clients' requests: they go out as they come, up to so many at once. */
const CONCURRENCY = 64;
/** Clients try again by themselves: they hear of the registry's trouble soon, and when to come back. */
const ATTEMPTS = 3;
const PATIENCE_MS = 10_000;
/** Most bytes of tarballs in memory, for each process. */
const TARBALL_MEMORY_BYTES = 32 * 1024 * 1024;
/** How often what was pulled through is held against its bounds. */
const EXPIRE_EVERY_MS = 5 * 60_000;

/** The registry over a replica's directory. */
export interface OpenRegistry {
  served: ServedRegistry;
  /** The URL of the registry that is asked for what is not held. */
  registry: string;
  /** How true the replica is; `undefined` where no feed is known. */
  feed(): Promise<FollowStatus | undefined>;
  close(): Promise<void>;
}

export interface OpenRegistryOptions {
  logger: Logger;
  /** Whether this process keeps the store within its bounds; one of several does. */
  duties: boolean;
  /** Whether other processes serve from the same directory. */
  shared: boolean;
}

/** Opens a replica's directory for serving. Rejects as `createEnv` does, and with `ERR_BAD_OPTION`. */
export async function openRegistry(
  options: ServeOptions,
  { logger, duties, shared }: OpenRegistryOptions,
): Promise<OpenRegistry> {
  const { concurrency = CONCURRENCY, rate = Number.POSITIVE_INFINITY } = options;
  const pace = { concurrency, rate, attempts: ATTEMPTS, patienceMs: PATIENCE_MS };
  const env = await createEnv({ ...options, ...pace, logger });
  try {
    return bind(env, options, { logger, duties, shared });
  } catch (error) {
    await env.close();
    throw error;
  }
}

function bind(env: NodeEnv, options: ServeOptions, { duties, shared }: OpenRegistryOptions): OpenRegistry {
  const {
    offline,
    publicUrl,
    tarballHost,
    form,
    maxBytes = DEFAULT_MAX_BYTES,
    ttlMs = DEFAULT_TTL_MS,
    eviction,
  } = options;
  const blobs = options.storage === undefined ? env.blobs : blobsIn(options.storage, options);
  let expiry: ExpiryManager | undefined;
  const pool = new DerivePool(Math.max(1, Math.min(4, availableParallelism() - 1)));
  const origin = env.originKnown ? env.origin : undefined;
  const { ordered } = env.storage;
  // One of several processes on this directory: what they ask the registry for, one asks for all.
  const flight = shared ? createLeaseFlight({ ordered, clock: env.clock, owner: String(process.pid) }) : undefined;
  const log = origin === undefined ? undefined : new ChangeLog({ ordered, origin });
  const announced = log && ((name: string) => log.get(name));
  const registry = new NpmRegistry({
    env: { ...env, blobs, ordered, origin, flight, announced, derive: pool.derive },
    options: { offline, publicUrl, tarballHost, form, documentBytes: maxBytes, touch: (key) => expiry?.touch(key) },
  });
  const { clock } = env;
  const tarballs = new TarballMemory(TARBALL_MEMORY_BYTES);
  expiry = new ExpiryManager({ index: registry.tarballs.index, clock, maxBytes, ttlMs, eviction });
  const stops = duties ? [expireNowAndThen(expiry, env)] : [];
  if (duties && options.follow) stops.push(keepFollowing({ ...env, blobs }, { ...options.follow, form }));
  return {
    registry: env.registry,
    served: {
      hot: (method, target, headers) =>
        registry.hot(method, target, headers) ??
        (target.endsWith('.tgz') ? tarballs.get(method, target, headers) : undefined),
      async answer(request, target) {
        const answer = await registry.answer(request, target);
        if (request.method === 'GET' && target.endsWith('.tgz')) tarballs.learn(target, answer);
        return answer;
      },
      stats: () => ({
        ...registry.stats(),
        tarballs: registry.tarballs.stats(),
        missingTarballs: [...registry.tarballs.missing],
      }),
    },
    feed: async () => (env.originKnown ? followStatus({ ...env, blobs }, form) : undefined),
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await registry.close();
      await pool.close();
      await env.close();
    },
  };
}

function blobsIn(directory: string, { durability }: ServeOptions): Store {
  const backend = new FsBlobBackend(directory, { durability });
  return new Store({ backend, hashers: createNodeHashers(), codec: zstdCodec });
}

/** Gives a function that ends it. */
function expireNowAndThen(expiry: ExpiryManager, { clock, logger }: NodeEnv): () => Promise<void> {
  const ending = new AbortController();
  const loop = async () => {
    for (;;) {
      await clock.sleep(EXPIRE_EVERY_MS, ending.signal);
      try {
        await expiry.run();
      } catch (error) {
        logger?.warn?.('what was pulled through could not be held within its bounds', { error: String(error) });
      }
    }
  };
  const ended = loop().catch(() => {});
  return async () => {
    ending.abort();
    await ended;
  };
}
