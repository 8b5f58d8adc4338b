import { ChangeLog } from '@_all_docs/changes';
import { ExpiryManager, type Store } from '@_all_docs/content';
import { createLeaseFlight, NpmRegistry, type SharedTarballs, type SingleFlight } from '@_all_docs/registry';
import { type FollowStatus, FollowStatusReader, type Logger } from '@_all_docs/worker';
import { availableParallelism } from 'node:os';
import { createEnv, type NodeEnv } from '../create-env.js';
import { DerivePool } from '../derive-pool.js';
import { nowAndThen } from '../now-and-then.js';
import { openBlobs } from '../open-blobs.js';
import { reclaimSpace } from '../reclaim-space.js';
import { sweepBlobsNowAndThen } from '../sweep-blobs.js';
import { keepFollowing } from './keep-following.js';
import { openOrigin } from './open-origin.js';
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
/** A bucket in trouble costs keeping; who waits for the tarball's last byte waits for that. */
const BUCKET_PATIENCE_MS = 15_000;
/** Most bytes of tarballs in memory, for each process. */
const TARBALL_MEMORY_BYTES = 32 * 1024 * 1024;
/** How often what was pulled through is held against its bounds. */
const EXPIRE_EVERY_MS = 5 * 60_000;
const RECLAIM_EVERY_MS = 24 * 3600_000;

/** The registry over a replica's directory. */
export interface OpenRegistry {
  served: ServedRegistry;
  /** The URL of the registry that is asked for what is not held. */
  registry: string;
  /** How true the replica is; `undefined` where no feed is known. */
  feed(): Promise<FollowStatus | undefined>;
  /** Loads what the first miss needs, while there is time. */
  warmUp(): void;
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
  let blobs: ServedBlobs | undefined;
  try {
    // One of several processes on this directory: what they ask the registry for, one asks for all.
    const { clock } = env;
    const { ordered } = env.storage;
    const flight = shared ? createLeaseFlight({ ordered, clock, owner: String(process.pid) }) : undefined;
    blobs = await openServedBlobs(env, options, { flight, logger, duties });
    return bind({ ...env, blobs: blobs.store }, blobs, options, { logger, duties, shared });
  } catch (error) {
    await blobs?.close();
    await env.close();
    throw error;
  }
}

/** Where tarballs are kept, and how far their downloads are shared. */
interface ServedBlobs {
  store: Store;
  /** Whether they lie in the replica's own directory, where nobody else keeps any. */
  own: boolean;
  flight: SingleFlight | undefined;
  tarballs: SharedTarballs | undefined;
  close(): Promise<void>;
}

async function openServedBlobs(
  env: NodeEnv,
  { cache, storage, durability }: ServeOptions,
  { flight, logger, duties }: { flight: SingleFlight | undefined; logger: Logger; duties: boolean },
): Promise<ServedBlobs> {
  const { clock, random } = env;
  const { ordered } = env.storage;
  if (storage === undefined || !/^(s3|gs):/.test(storage)) {
    const { close, ...blobs } = await openBlobs(cache, { storage, durability, clock });
    return { ...blobs, flight, tarballs: undefined, close: async () => close() };
  }
  // Its clients are loaded only where there is a bucket.
  const { openSharedBlobs } = await import('../object-stores/open-shared-blobs.js');
  const settings = { ordered, env: process.env, clock, random, logger, duties, flight, patienceMs: BUCKET_PATIENCE_MS };
  return { ...(await openSharedBlobs(storage, settings)), own: false };
}

function bind(env: NodeEnv, blobs: ServedBlobs, options: ServeOptions, { duties }: OpenRegistryOptions): OpenRegistry {
  const {
    offline,
    publicUrl,
    tarballHost,
    form,
    maxBytes = DEFAULT_MAX_BYTES,
    ttlMs = DEFAULT_TTL_MS,
    eviction,
  } = options;
  let expiry: ExpiryManager | undefined;
  const pool = new DerivePool(Math.max(1, Math.min(4, availableParallelism() - 1)));
  const origin = env.originKnown ? env.origin : undefined;
  const { ordered } = env.storage;
  const { flight, tarballs: others } = blobs;
  const log = origin === undefined ? undefined : new ChangeLog({ ordered, origin });
  const announced = log && ((name: string) => log.announced(name));
  const { derive, checkAndDerive } = pool;
  const registry = new NpmRegistry({
    env: { ...env, ordered, origin, flight, shared: others, announced, derive, checkAndDerive },
    options: { offline, publicUrl, tarballHost, form, documentBytes: maxBytes, touch: (key) => expiry?.touch(key) },
  });
  const { clock } = env;
  const replica = openOrigin(env, { form });
  const status = env.originKnown ? new FollowStatusReader(env, form) : undefined;
  const tarballs = new TarballMemory(TARBALL_MEMORY_BYTES);
  expiry = new ExpiryManager({ index: registry.tarballs.index, clock, maxBytes, ttlMs, eviction });
  const stops = duties ? [expireNowAndThen(expiry, env)] : [];
  if (duties) stops.push(reclaimNowAndThen(env));
  if (duties && blobs.own) stops.push(sweepBlobsNowAndThen(registry.tarballs.index, env));
  if (duties && options.follow) stops.push(keepFollowing(env, { ...options.follow, form }));
  return {
    registry: env.registry,
    served: {
      hot: (method, target, headers) =>
        registry.hot(method, target, headers) ??
        (target.endsWith('.tgz') ? tarballs.get(method, target, headers) : undefined),
      async answer(request, target) {
        const answer = (await replica.answer(request, target)) ?? (await registry.answer(request, target));
        if (request.method === 'GET' && target.endsWith('.tgz')) tarballs.learn(target, answer);
        return answer;
      },
      stats: () => ({
        ...registry.stats(),
        tarballs: registry.tarballs.stats(),
        missingTarballs: [...registry.tarballs.missing],
      }),
    },
    feed: async () => status?.read(),
    warmUp() {
      if (offline) return;
      void env.warmUp();
      pool.warmUp();
    },
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await registry.close();
      await pool.close();
      await blobs.close();
      await env.close();
    },
  };
}

/** Holds what was pulled through within its bounds. */
function expireNowAndThen(expiry: ExpiryManager, env: NodeEnv): () => Promise<void> {
  const trouble = 'what was pulled through could not be held within its bounds';
  return nowAndThen(() => expiry.run(), { env, firstMs: EXPIRE_EVERY_MS, everyMs: EXPIRE_EVERY_MS, trouble });
}

/** cacache leaves the bodies of entries that were removed or replaced: they go once a day. */
function reclaimNowAndThen(env: NodeEnv): () => Promise<void> {
  const reclaim = () => reclaimSpace(env.storage, env.clock.now());
  const trouble = 'the room of removed documents could not be given back';
  return nowAndThen(reclaim, { env, firstMs: RECLAIM_EVERY_MS, everyMs: RECLAIM_EVERY_MS, trouble });
}
