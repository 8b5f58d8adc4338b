import type { Eviction } from '@_all_docs/content';
import type { PackumentForm } from '@_all_docs/packument';
import type { TarballHost } from '@_all_docs/registry';
import type { FollowOptions } from '@_all_docs/worker';
import type { StoreKind } from '../cache-directory.js';
import type { Durability } from '../sqlite-file.js';
import type { ServerLimits } from './types.js';

/** How a replica is served. Plain data: it is handed to worker processes. */
export interface ServeOptions {
  /** Directory of the replica. */
  cache: string;
  /** Directory of the blobs, or `s3://bucket/prefix` or `gs://bucket/prefix`; the replica's directory unless told. */
  storage?: string | undefined;
  /** `HOST:PORT`, or `:PORT` for every interface; `127.0.0.1:8080` unless told. Port 0 takes a free one. */
  listen?: string | undefined;
  /** Where documents and tarballs come from that are not held; what npm's own configuration says unless given. */
  registry?: string | undefined;
  /** The replication host whose listing is shown to other replicas; the one that the replica was listed from unless told. */
  origin?: string | undefined;
  /** Which form of documents is held and asked for; `full` unless told. Abbreviated ones are answered to all. */
  form?: PackumentForm | undefined;
  /** Follow the feed meanwhile, in the process that has the duties. */
  follow?: Pick<FollowOptions, 'intervalMs' | 'windowMs' | 'reconcileMs'> | undefined;
  /** Never ask the registry. */
  offline?: boolean | undefined;
  /** URL at which clients reach this server; the Host header of each request unless told. */
  publicUrl?: string | undefined;
  /** Whose tarball URLs documents carry. */
  tarballHost?: TarballHost | undefined;
  /** Most bytes that are kept of what was pulled through; 10 GB unless told. */
  maxBytes?: number | undefined;
  /** How long something pulled through stays that nobody asks for; 7 days unless told. */
  ttlMs?: number | undefined;
  /** Who goes first when there is too much; S3-FIFO unless told. */
  eviction?: Eviction | undefined;
  /** A file with the tokens of those who may ask, one a line; everybody may unless told. */
  authTokenFile?: string | undefined;
  /** Processes on the one port; 1 unless told. */
  workers?: number | undefined;
  store?: StoreKind | undefined;
  durability?: Durability | undefined;
  /** Requests to the registry at once, by all processes together; 64 unless told. */
  concurrency?: number | undefined;
  /** Requests to the registry a second; no limit of our own unless told: clients wait for them. */
  rate?: number | undefined;
  /** Requests to the registry a month; as for `createEnv`. */
  budget?: number | undefined;
  /** How to reach whoever runs this, for the User-Agent. */
  contact?: string | undefined;
  limits?: ServerLimits | undefined;
  /** How long answers under way may take to end after `close`; 10 s unless told. */
  drainMs?: number | undefined;
  /** Log a line for each request, not only for what goes wrong. */
  log?: boolean | undefined;
}

/** A server that listens. */
export interface RunningServer {
  /** Reaches it from this machine; npm's routes are at `/npm/` below it. */
  url: string;
  /** Ends the answers under way, takes no new ones, and closes what is open. */
  close(): Promise<void>;
}

export const DEFAULT_LISTEN = '127.0.0.1:8080';
const DRAIN_MS = 10_000;

export function drainMsOf({ drainMs = DRAIN_MS }: ServeOptions): number {
  return drainMs;
}
