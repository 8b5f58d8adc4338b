/** @module Serving a replica over HTTP on Node.js. */
import { serveHere } from './server/serve-here.js';
import type { RunningServer, ServeOptions } from './server/serve-options.js';

export { defaultCacheDirectory } from './default-cache.js';
export { authorizer, readBearerTokens } from './server/bearer-tokens.js';
export { ServeError, type ServeErrorCode } from './server/errors.js';
export { type ListenAddress, parseListen } from './server/listen-address.js';
export { type OriginEnv, openOrigin } from './server/open-origin.js';
export { createServer, type RegistryServer } from './server/registry-server.js';
export { DEFAULT_LISTEN, type RunningServer, type ServeOptions } from './server/serve-options.js';
export type { CreateServerOptions, ServedRegistry, ServerLimits } from './server/types.js';

/**
 * Serves a replica to npm, pnpm, yarn and bun: from what is held, and what is not is fetched, checked, kept and sent.
 * Resolves when it listens and the replica is open. `ERR_BAD_LISTEN`, `ERR_PORT_IN_USE`, `ERR_PORT_DENIED`,
 * `ERR_BAD_TOKEN_FILE`, and what opening the replica gives (`ERR_CACHE_FOREIGN` …).
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { workers = 1 } = options;
  if (workers === 1) return serveHere(options);
  const { serveFleet } = await import('./serve-fleet.js');
  return serveFleet({ ...options, workers });
}
