import type { Logger } from '@_all_docs/worker';
import { systemClock } from '@_all_docs/worker-node';
import type { ServedRegistry } from '@_all_docs/worker-node/serve';
import { createEnv } from './create-env.js';
import { createGoogleKeys } from './google-keys.js';
import { createOidcCheck, type OidcOptions } from './oidc.js';
import { openRegistry } from './open-registry.js';
import type { Settings } from './settings.js';

export interface OpenService {
  served: ServedRegistry;
  close(): Promise<void>;
}

/** Requests that wait for the registry are clients' requests: they go out as they come, up to so many at once. */
const PACE = { concurrency: 64, rate: Number.POSITIVE_INFINITY, attempts: 3, patienceMs: 10_000 };
const BUCKET_PATIENCE_MS = 15_000;

/** Opens the bucket and the registry over it. Rejects as `createEnv` does. */
export async function openService(
  settings: Settings,
  { logger, keys }: { logger: Logger; keys: OidcOptions['keys'] | undefined },
): Promise<OpenService> {
  const { bucket, registry, origin, contact, work } = settings;
  const env = await createEnv({
    ...PACE,
    bucket,
    registry,
    origin,
    contact,
    logger,
    bucketPatienceMs: BUCKET_PATIENCE_MS,
  });
  const check = work && createOidcCheck({ ...work, clock: systemClock, keys: keys ?? createGoogleKeys(systemClock) });
  const opened = openRegistry(env, settings, check);
  return {
    served: opened.served,
    async close() {
      await opened.close();
      await env.close();
    },
  };
}
