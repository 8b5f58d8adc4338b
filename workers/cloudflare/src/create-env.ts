import type { BlobBackend, Hashers } from '@_all_docs/content';
import { type StreamingTransport, webCodec } from '@_all_docs/http';
import type { Env } from '@_all_docs/worker';
import type { Bindings } from './bindings.js';
import { createCore } from './core.js';
import { digestHashers } from './digest-hashers.js';
import { DurableObjectQueue } from './durable-object-queue.js';
import { ReplicaStore } from './replica-store.js';
import { streaming, transport } from './transports.js';

/** An environment on Cloudflare Workers. */
export interface CloudflareEnv extends Omit<Env, 'blobs'> {
  streaming: StreamingTransport;
  blobs: BlobBackend;
  hashers: Hashers;
}

/**
 * Binds the core to Workers; asks nobody, so every request may make its own. `ERR_NO_BINDING` names each binding that is
 * missing, with its line of `wrangler.jsonc`. The queue is the Durable Object's; whoever prefers Cloudflare Queues puts
 * a `CloudflareQueue` in its place.
 */
export function createEnv(bindings: Bindings, ctx?: Pick<ExecutionContext, 'waitUntil'>): CloudflareEnv {
  const core = createCore(bindings);
  const { WORK_QUEUE, REPLICA } = bindings as Required<Bindings>;
  return {
    ...core,
    ordered: new ReplicaStore(REPLICA.getByName('replica')),
    transport,
    streaming,
    hashers: digestHashers,
    codec: webCodec,
    random: Math.random,
    waitUntil: ctx && ((promise) => ctx.waitUntil(promise)),
    queue: WORK_QUEUE && new DurableObjectQueue(WORK_QUEUE),
  };
}
