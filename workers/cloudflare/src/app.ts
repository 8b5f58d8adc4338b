import { type AnswerRequest, type EdgeOptions, EdgeRegistry } from '@_all_docs/registry/edge';
import type { WorkItem, WorkResult } from '@_all_docs/worker/queues';
import { waitUntil } from 'cloudflare:workers';
import { type Bindings, followed } from './bindings.js';
import { claim } from './claim.js';
import type { Core } from './core.js';
import { digestHashers } from './digest-hashers.js';
import { RecentChanges } from './recent-changes.js';
import type { ReplicaObject } from './replica-object.js';

/** What one isolate composes, once, from its bindings. */
export interface App extends Core {
  registry: string;
  edge: EdgeRegistry;
  work(item: WorkItem): Promise<WorkResult>;
  /** The object that follows the feed. A stub belongs to one request. */
  replica(): DurableObjectStub<ReplicaObject>;
}

export function createApp(core: Core, bindings: Bindings, scheme: 'http' | 'https'): App {
  const { clock, logger, storage } = core;
  const replica = () => (bindings.REPLICA as NonNullable<Bindings['REPLICA']>).getByName('replica');
  // The stub's own type is as deep as the values that it carries.
  const object = () => replica() as unknown as ReplicaObject;
  const rest = () => import('./rest.js');
  const removals = followed(bindings)
    ? new RecentChanges(
        (seq) => object().news(seq),
        () => clock.now(),
        logger,
      )
    : undefined;
  const edge = new EdgeRegistry({
    env: {
      ...core,
      hashers: digestHashers,
      waitUntil,
      removals,
      claim,
      transport: async (request) => (await rest()).transport(request),
      streaming: async (request) => (await rest()).streaming(request),
    },
    options: { ...optionsOf(bindings), scheme },
  });
  return {
    ...core,
    edge,
    work: async (item) => {
      const { doWork, transport } = await rest();
      const settled = (seq: number) => object().settled(seq);
      return doWork(item, { origin: core.origin, transport, storage, registry: edge, settled });
    },
    replica,
  };
}

/** The request as the client sent it: Cloudflare puts codings of its own into `Accept-Encoding`, and keeps the client's beside it. */
export function asSent(request: Request): AnswerRequest {
  const { method, url, headers, body, cf } = request;
  const sent = cf?.['clientAcceptEncoding'];
  if (typeof sent !== 'string') return request;
  return { method, url, body, headers: { get: (name) => (name === 'accept-encoding' ? sent : headers.get(name)) } };
}

function optionsOf({ PUBLIC_URL, TARBALL_HOST, MAX_AGE_SECONDS, ALLOWED_HOSTS }: Bindings): EdgeOptions {
  return {
    publicUrl: PUBLIC_URL || undefined,
    tarballHost: (TARBALL_HOST || undefined) as EdgeOptions['tarballHost'],
    maxAgeMs: MAX_AGE_SECONDS ? Number(MAX_AGE_SECONDS) * 1_000 : undefined,
    allowedHosts: ALLOWED_HOSTS?.split(/[\s,]+/).filter(Boolean),
  };
}
