import { readBearerTokens } from './bearer-tokens.js';
import type { Snapshot } from './counters.js';
import { ServeError } from './errors.js';
import { parseListen } from './listen-address.js';
import { createLogger } from './logger.js';
import { type OpenRegistry, openRegistry } from './open-registry.js';
import type { Collect } from './operations.js';
import { createServer } from './registry-server.js';
import { DEFAULT_LISTEN, drainMsOf, type RunningServer, type ServeOptions } from './serve-options.js';

/** Whoever waits for the first answer has it by then. */
const WARM_UP_MS = 50;

/** A server in this very process. */
export interface HereServer extends RunningServer {
  snapshot(): Snapshot;
}

export interface HereOptions {
  collect?: Collect | undefined;
  /** Whether this process does what only one of several must do. */
  duties?: boolean;
  /** Whether other processes serve from the same directory. */
  shared?: boolean;
}

/** Serves from this process. It listens while the replica is being opened, and resolves when both are done. */
export async function serveHere(
  options: ServeOptions,
  { collect, duties = true, shared = false }: HereOptions = {},
): Promise<HereServer> {
  const { listen = DEFAULT_LISTEN, authTokenFile, log = false, limits, offline = false, publicUrl } = options;
  const address = parseListen(listen);
  const authorize = authTokenFile === undefined ? undefined : readBearerTokens(authTokenFile);
  const logger = createLogger(log ? 'info' : 'warn');
  let opened: OpenRegistry | undefined;
  const opening = openRegistry(options, { logger, duties, shared }).then((registry) => {
    opened = registry;
    return registry.served;
  });
  const server = createServer({
    registry: opening,
    authorize,
    logger,
    accessLog: log,
    limits,
    collect,
    about: () => ({ registry: opened?.registry, offline, publicUrl }),
    feed: async () => opened?.feed(),
  });
  let warming: NodeJS.Timeout | undefined;
  const close = async (drainMs: number) => {
    clearTimeout(warming);
    await server.drain(drainMs);
    await opened?.close();
  };
  const [listening, opens] = await Promise.allSettled([server.listen(address), opening]);
  try {
    if (opens.status === 'rejected') throw opens.reason;
    if (listening.status === 'rejected') throw listening.reason;
    assertOther(opened?.registry, listening.value);
  } catch (error) {
    await close(0);
    throw error;
  }
  warming = setTimeout(() => opened?.warmUp(), WARM_UP_MS).unref();
  return { url: listening.value, snapshot: () => server.snapshot(), close: () => close(drainMsOf(options)) };
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** `ERR_OWN_REGISTRY` when the registry is the server itself, which would ask itself for what it does not hold. */
function assertOther(registry: string | undefined, url: string): void {
  if (registry === undefined) return;
  const [asked, own] = [new URL(registry), new URL(url)];
  const isSameHost = asked.hostname === own.hostname || [asked, own].every(({ hostname }) => LOOPBACK.test(hostname));
  if (asked.port !== own.port || !isSameHost) return;
  const message = `the registry ${registry} is this very server; say with --registry where packages come from`;
  throw new ServeError('ERR_OWN_REGISTRY', message);
}
