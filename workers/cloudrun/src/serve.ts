/** @module The registry as a service on Cloud Run. */
import { createServer } from '@_all_docs/worker-node/serve';
import { createCloudLogger, traceFields } from './logger.js';
import type { OidcOptions } from './oidc.js';
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

/** Of the ten seconds between SIGTERM and SIGKILL. */
const DRAIN_MS = 7_000;

/** Listens at once, and loads and opens the rest meanwhile: Google's client alone takes longer than the server to start. */
export async function serve(settings: Settings, options: ServeOptions = {}): Promise<RunningService> {
  const { write = (line) => void process.stdout.write(line), keys, host } = options;
  const logger = createCloudLogger({ write, clock: Date });
  const { port, project, registry } = settings;
  const listens = Promise.withResolvers<void>();
  const opening = listens.promise
    .then(() => import('./open-service.js'))
    .then(({ openService }) => openService(settings, { logger, keys }));
  // Whoever waits for `ready` hears of it.
  opening.catch(() => undefined);
  const server = createServer({
    registry: opening.then(({ served }) => served),
    logger,
    accessLog: true,
    logFields: ({ headers }) => traceFields(headers, project),
    about: () => ({ registry }),
  });
  const url = await server.listen({ host, port });
  // In another turn, so that who asks already is answered before anything is compiled.
  setImmediate(listens.resolve);
  const close = async () => {
    await server.drain(DRAIN_MS);
    await (await opening.catch(() => undefined))?.close();
  };
  return { url, ready: opening.then(() => undefined), close };
}
