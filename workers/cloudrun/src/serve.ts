/** @module The registry as a service on Cloud Run. */
import { systemClock } from '@_all_docs/worker-node';
import { createServer, type RegistryServer } from '@_all_docs/worker-node/serve';
import { createEnv } from './create-env.js';
import { createGoogleKeys } from './google-keys.js';
import { createCloudLogger, traceFields } from './logger.js';
import { createOidcCheck, type OidcOptions } from './oidc.js';
import { openRegistry } from './open-registry.js';
import type { Settings } from './settings.js';

export { readSettings, type Settings } from './settings.js';

export interface RunningService {
  url: string;
  /** Rejects when the bucket or the registry cannot be opened; until it resolves, requests wait. */
  ready: Promise<void>;
  /** Ends the answers under way and closes what is open, within Cloud Run's ten seconds. */
  close(): Promise<void>;
}

export interface ServeOptions {
  /** Where log lines go; to the standard output unless told. */
  write?: ((line: string) => void) | undefined;
  /** Google's keys; asked for from Google unless told. */
  keys?: OidcOptions['keys'] | undefined;
  /** The interface to listen on; all unless told. */
  host?: string | undefined;
}

/** Requests that wait for the registry are clients' requests: they go out as they come, up to so many at once. */
const PACE = { concurrency: 64, rate: Number.POSITIVE_INFINITY, attempts: 3, patienceMs: 10_000 };
const BUCKET_PATIENCE_MS = 15_000;
/** Of the ten seconds between SIGTERM and SIGKILL. */
const DRAIN_MS = 7_000;

/** Listens at once, and opens the bucket meanwhile. */
export async function serve(settings: Settings, options: ServeOptions = {}): Promise<RunningService> {
  const { write = (line) => void process.stdout.write(line), keys, host } = options;
  const clock = systemClock;
  const logger = createCloudLogger({ write, clock });
  const { bucket, registry, origin, contact, project, work } = settings;
  const opening = createEnv({
    ...PACE,
    bucket,
    registry,
    origin,
    contact,
    logger,
    bucketPatienceMs: BUCKET_PATIENCE_MS,
  }).then((env) => {
    const check = work && createOidcCheck({ ...work, clock, keys: keys ?? createGoogleKeys(clock) });
    return { env, registry: openRegistry(env, settings, check) };
  });
  const server: RegistryServer = createServer({
    registry: opening.then(({ registry }) => registry.served),
    logger,
    accessLog: true,
    logFields: ({ headers }) => traceFields(headers, project),
    about: () => ({ registry }),
  });
  const close = async () => {
    await server.drain(DRAIN_MS);
    const opened = await opening.catch(() => undefined);
    await opened?.registry.close();
    await opened?.env.close();
  };
  // Whoever waits for `ready` hears of it.
  opening.catch(() => undefined);
  return { url: await server.listen({ host, port: settings.port }), ready: opening.then(() => undefined), close };
}
