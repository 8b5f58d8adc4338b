/** @module The worker that `wrangler deploy --env hyperdrive` puts in place: KV as a cache in front of PostgreSQL. */
import { CacheError } from '@_all_docs/cache';
import { TieredCache } from '@_all_docs/tier';
import { waitUntil } from 'cloudflare:workers';
import type { Bindings } from './bindings.js';
import { type Core, createCore } from './core.js';
import { createWorker } from './create-worker.js';
import { HyperdriveDriver } from './hyperdrive-driver.js';

export { ReplicaObject } from './replica-object.js';

/** As long as KV keeps what was pulled through: it is the registry's news, or an entry's own age, that ends it sooner. */
const KEEP_SECONDS = 30 * 86_400;

const { handler, WorkQueueObject } = createWorker(withDatabase);

export { WorkQueueObject };
export default handler;

function withDatabase(bindings: Bindings): Core {
  const core = createCore(bindings);
  const { clock, logger, storage } = core;
  if (!bindings.HYPERDRIVE) {
    throw new CacheError(
      'ERR_NO_BINDING',
      'bindings are missing; add to wrangler.jsonc\nHYPERDRIVE: "hyperdrive": [{ "binding": "HYPERDRIVE", "id": "…" }]',
    );
  }
  const primary = new HyperdriveDriver(bindings.HYPERDRIVE, waitUntil);
  return {
    ...core,
    storage: new TieredCache({
      tiers: [storage, primary],
      ...{ clock, logger, waitUntil },
      maxAge: 300,
      staleWhileRevalidate: KEEP_SECONDS,
      // An absence would be a write of KV for each name that somebody makes up.
      negativeMaxAge: 0,
      tableOf: () => 'packuments',
    }),
  };
}
