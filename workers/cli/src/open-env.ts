import {
  createEnv,
  type Durability,
  defaultCacheDirectory,
  type NodeEnv,
  type StoreKind,
} from '@_all_docs/worker-node';
import { CliError } from './exit.js';
import type { Io } from './io.js';

/** The flags that every environment is made from. */
export interface EnvFlags {
  cache?: string;
  origin?: string;
  registry?: string;
  concurrency?: number;
  rate?: number;
  budget?: number;
  contact?: string;
  store?: StoreKind;
  durability?: Durability;
}

/** Opens the environment, runs the work in it and closes it, however the work ends. */
export async function withEnv<T>(flags: EnvFlags, io: Io, work: (env: NodeEnv) => Promise<T>): Promise<T> {
  const env = await createEnv({ ...flags, cache: flags.cache ?? defaultCacheDirectory(io.env) });
  try {
    return await work(env);
  } finally {
    await env.close();
  }
}

/** Where a replica lies: with its blobs, where only their directory is given. */
export function replicaDirectory(
  { cache, storage }: { cache?: string | undefined; storage?: string | undefined },
  io: Io,
): string {
  return cache ?? storage ?? defaultCacheDirectory(io.env);
}

/** `ERR_NO_ORIGIN` where names are to be listed and nobody knows where. */
export function assertOrigin(env: NodeEnv): void {
  if (env.originKnown) return;
  throw new CliError(
    'ERR_NO_ORIGIN',
    `the replication host of ${env.registry} is not known; give it with --origin, or choose packages with --names or --lockfile`,
  );
}
