import { CacheError, normalizeOrigin } from '@_all_docs/cache';
import type { BlobBackend, Hashers } from '@_all_docs/content';
import { type StreamingTransport, webCodec, withRedirects } from '@_all_docs/http';
import type { Env, Logger } from '@_all_docs/worker';
import type { Bindings } from './bindings.js';
import { systemClock } from './clock.js';
import { digestHashers } from './digest-hashers.js';
import { DurableObjectQueue } from './durable-object-queue.js';
import { createFetchStreaming, createFetchTransport } from './fetch-transport.js';
import { CloudflareStorageDriver } from './kv-driver.js';
import { R2BlobBackend } from './r2-blob-backend.js';
import { R2StorageDriver } from './r2-driver.js';
import { ReplicaStore } from './replica-store.js';

/** An environment on Cloudflare Workers. */
export interface CloudflareEnv extends Omit<Env, 'blobs'> {
  streaming: StreamingTransport;
  blobs: BlobBackend;
  hashers: Hashers;
}

/** What cannot be done without, and the line of `wrangler.jsonc` that each needs. */
const LINES = {
  PACKUMENTS: '"kv_namespaces": [{ "binding": "PACKUMENTS" }]',
  BLOBS: '"r2_buckets": [{ "binding": "BLOBS", "bucket_name": "all-docs-blobs" }]',
  REPLICA: '"durable_objects": { "bindings": [{ "name": "REPLICA", "class_name": "ReplicaObject" }] }',
  REGISTRY: '"vars": { "REGISTRY": "https://registry.example.com" }',
};

/**
 * Binds the core to Workers; asks nobody, so every request may make its own. `ERR_NO_BINDING` names each binding that is
 * missing, with its line of `wrangler.jsonc`. The queue is the Durable Object's; whoever prefers Cloudflare Queues puts
 * a `CloudflareQueue` in its place.
 */
export function createEnv(bindings: Bindings, ctx?: Pick<ExecutionContext, 'waitUntil'>): CloudflareEnv {
  const { WORK_QUEUE } = bindings;
  return { ...createCore(bindings, ctx), queue: WORK_QUEUE && new DurableObjectQueue(WORK_QUEUE) };
}

/** {@link createEnv} for those who lease no work: without the queues' clients. */
export function createCore(bindings: Bindings, ctx?: Pick<ExecutionContext, 'waitUntil'>): CloudflareEnv {
  const missing = Object.entries(LINES).filter(([name]) => !bindings[name as keyof Bindings]);
  if (missing.length > 0) {
    const lines = missing.map(([name, line]) => `${name}: ${line}`).join('\n');
    throw new CacheError('ERR_NO_BINDING', `bindings are missing; add to wrangler.jsonc\n${lines}`);
  }
  const { PACKUMENTS, BLOBS, REPLICA, REGISTRY, ORIGIN } = bindings as Required<Bindings>;
  const options = { userAgent: '_all_docs (+npm:@_all_docs/worker-cloudflare)' };
  return {
    origin: normalizeOrigin(ORIGIN || REGISTRY),
    registry: normalizeOrigin(REGISTRY),
    storage: new CloudflareStorageDriver(PACKUMENTS, { large: new R2StorageDriver(BLOBS) }),
    blobs: new R2BlobBackend(BLOBS),
    ordered: new ReplicaStore(REPLICA.getByName('replica')),
    transport: withRedirects(createFetchTransport(options)),
    streaming: createFetchStreaming(options),
    hashers: digestHashers,
    codec: webCodec,
    clock: systemClock,
    random: Math.random,
    waitUntil: ctx && ((promise) => ctx.waitUntil(promise)),
    logger,
  };
}

const log = (level: keyof Logger) => (message: string, fields?: Record<string, unknown>) =>
  console[level](JSON.stringify({ message, ...fields }));
const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
