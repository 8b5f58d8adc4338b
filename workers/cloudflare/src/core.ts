import { CacheError, normalizeOrigin, type StorageDriver } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import type { Logger } from '@_all_docs/worker';
import type { Bindings } from './bindings.js';
import { systemClock } from './clock.js';
import { CloudflareStorageDriver } from './kv-driver.js';
import { R2BlobBackend } from './r2-blob-backend.js';
import { R2StorageDriver } from './r2-driver.js';

/** What is held, and by what name: all that an answer from the stores needs. */
export interface Core {
  origin: string;
  registry: string;
  storage: StorageDriver;
  blobs: R2BlobBackend;
  clock: Clock;
  logger: Logger;
}

/** What cannot be done without, and the line of `wrangler.jsonc` that each needs. */
const LINES = {
  PACKUMENTS: '"kv_namespaces": [{ "binding": "PACKUMENTS" }]',
  BLOBS: '"r2_buckets": [{ "binding": "BLOBS", "bucket_name": "all-docs-blobs" }]',
  REPLICA: '"durable_objects": { "bindings": [{ "name": "REPLICA", "class_name": "ReplicaObject" }] }',
  REGISTRY: '"vars": { "REGISTRY": "https://registry.example.com" }',
};

/** Asks nobody. `ERR_NO_BINDING` names each binding that is missing, with its line of `wrangler.jsonc`. */
export function createCore(bindings: Bindings): Core {
  const missing = Object.entries(LINES).filter(([name]) => !bindings[name as keyof Bindings]);
  if (missing.length > 0) {
    const lines = missing.map(([name, line]) => `${name}: ${line}`).join('\n');
    throw new CacheError('ERR_NO_BINDING', `bindings are missing; add to wrangler.jsonc\n${lines}`);
  }
  const { PACKUMENTS, BLOBS, REGISTRY, ORIGIN } = bindings as Required<Bindings>;
  return {
    origin: normalizeOrigin(ORIGIN || REGISTRY),
    registry: normalizeOrigin(REGISTRY),
    storage: new CloudflareStorageDriver(PACKUMENTS, { large: new R2StorageDriver(BLOBS) }),
    blobs: new R2BlobBackend(BLOBS),
    clock: systemClock,
    logger,
  };
}

const log = (level: keyof Logger) => (message: string, fields?: Record<string, unknown>) =>
  console[level](JSON.stringify({ message, ...fields }));
const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
