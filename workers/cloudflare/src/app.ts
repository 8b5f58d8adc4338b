import type { OrderedStore, StorageDriver } from '@_all_docs/cache';
import { ChangeLog } from '@_all_docs/changes';
import { EdgeOrigin } from '@_all_docs/origin/edge';
import { type EdgeOptions, EdgeRegistry } from '@_all_docs/registry/edge';
import type { WorkItem, WorkResult } from '@_all_docs/worker/queues';
import { waitUntil } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';
import { claim } from './claim.js';
import { createCore } from './create-env.js';
import { RecentChanges } from './recent-changes.js';
import { followed, type ReplicaObject } from './replica-object.js';
import { ReplicaStore } from './replica-store.js';
import { doWork } from './work.js';

/** What one isolate composes, once, from its bindings. */
export interface App {
  registry: EdgeRegistry;
  /** For one request: it speaks to an object. */
  origin(): EdgeOrigin;
  work(item: WorkItem): Promise<WorkResult>;
  /** The object that follows the feed; `ERR_NO_BINDING` without one. */
  replica(): Pick<ReplicaObject, 'follow' | 'state' | 'news' | 'settled'>;
}

/** Throws `ERR_NO_BINDING` for what nothing works without. */
export function createApp(bindings: Bindings, scheme: 'http' | 'https'): App {
  const env = createCore(bindings);
  const { origin, registry: url, transport, clock, logger } = env;
  const storage = env.storage as StorageDriver;
  // A stub belongs to one request. Its own type is as deep as the values that it carries.
  const stub = () => (bindings.REPLICA as NonNullable<Bindings['REPLICA']>).getByName('replica');
  const replica = () => stub() as unknown as ReplicaObject;
  const removals = followed(bindings)
    ? new RecentChanges(
        (seq) => replica().news(seq),
        () => clock.now(),
        logger,
      )
    : undefined;
  const registry = new EdgeRegistry({
    env: {
      ...{ registry: url, storage, transport, clock, logger, waitUntil, removals, claim },
      ...{ streaming: env.streaming, hashers: env.hashers, codec: env.codec },
      get blobs() {
        return env.blobs;
      },
    },
    options: { ...optionsOf(bindings), scheme },
  });
  const originOf = (ordered: OrderedStore) =>
    new EdgeOrigin({ storage, ordered, origin, changes: new ChangeLog({ ordered, origin }) });
  const settled = (seq: number) => replica().settled(seq);
  return {
    registry,
    origin: () => originOf(new ReplicaStore(stub())),
    work: (item) => doWork(item, { origin, transport, storage, registry, settled }),
    replica,
  };
}

function optionsOf({ PUBLIC_URL, TARBALL_HOST, MAX_AGE_SECONDS, ALLOWED_HOSTS }: Bindings): EdgeOptions {
  return {
    publicUrl: PUBLIC_URL || undefined,
    tarballHost: (TARBALL_HOST || undefined) as EdgeOptions['tarballHost'],
    maxAgeMs: MAX_AGE_SECONDS ? Number(MAX_AGE_SECONDS) * 1_000 : undefined,
    allowedHosts: ALLOWED_HOSTS?.split(/[\s,]+/).filter(Boolean),
  };
}
