import type { Cache, OrderedStore } from '@_all_docs/cache';
import type { PartitionCheckpoint } from '@_all_docs/checkpoint';
import type { PackumentClient } from '@_all_docs/packument';
import type { PartitionClient } from '@_all_docs/partition';
import { codeOf } from '../errors.js';
import type { Env } from '../interfaces.js';
import type { BootstrapEvent, TarballTally } from './events.js';
import type { Meter } from './meter.js';
import type { Outcomes } from './outcomes.js';
import type { Owner } from './owner.js';
import type { Run } from './run.js';
import type { TarballKeeper } from './tarball-keeper.js';
import type { UpstreamReplica } from './upstream-replica.js';

/** What the phases of one bootstrap share. */
export interface Context {
  env: Env;
  cache: Cache;
  store: OrderedStore;
  run: Run;
  owner: Owner;
  meter: Meter;
  outcomes: Outcomes;
  partitions: PartitionClient;
  packuments: PackumentClient;
  listing: PartitionCheckpoint;
  fetching: PartitionCheckpoint;
  keeping: PartitionCheckpoint;
  /** Where tarballs are wanted, too. */
  keeper: TarballKeeper | undefined;
  /** The origin, once it is known to be a replica like this one. */
  upstream: UpstreamReplica | undefined;
  concurrency: number;
  signal: AbortSignal;
  report: (event: BootstrapEvent) => void;
  tally: {
    stored: number;
    unchanged: number;
    held: number;
    absent: number;
    failed: number;
    tarballs: TarballTally | undefined;
  };
}

/** How long a partition is leased; renewed while it is worked on. */
export const LEASE_MS = 60_000;

/** Trouble with one item, which is noted and leaves the others alone. Everything else stops the work. */
const ITEM_ERRORS = new Set([
  'ERR_BAD_NAME',
  'ERR_BAD_PACKUMENT',
  'ERR_BAD_PAGE',
  'ERR_BAD_URL',
  'ERR_BLOB_TOO_LARGE',
  'ERR_BLOCKED',
  'ERR_ENCODING',
  'ERR_FETCH_FAILED',
  'ERR_FORBIDDEN_HOST',
  'ERR_INTEGRITY',
  'ERR_KEY_TOO_LONG',
  'ERR_NO_TARBALL',
  'ERR_NO_VERSION',
  'ERR_TIMEOUT',
  'ERR_TOO_LARGE',
  'ERR_TOO_MANY_REDIRECTS',
]);

export function isItemError(error: unknown): boolean {
  return ITEM_ERRORS.has(codeOf(error) ?? '');
}
