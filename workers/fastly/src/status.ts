import { env as variable } from 'fastly:env';
import type { FastlyEnv } from './create-env.js';
import { VERSION } from './version.js';

/** What `/-/status.json` says: nothing that costs a look-up, since each request is a sandbox of its own and counts nothing. */
export function statusOf({ registry, settings }: FastlyEnv): Record<string, unknown> {
  return {
    version: VERSION,
    runtime: 'fastly',
    registry,
    origin: settings.origin ?? null,
    service: { version: variable('FASTLY_SERVICE_VERSION'), pop: variable('FASTLY_POP') },
  };
}
