/** @module The service's process: `node dist/main.js`, told by environment variables. */
import { createCloudLogger } from './logger.js';
import { serve } from './serve.js';
import { readSettings } from './settings.js';

const logger = createCloudLogger({ write: (line) => void process.stdout.write(line), clock: Date });

/** Says why, and ends: Cloud Run shows the last line of a revision that does not start. */
function fail(error: unknown): void {
  const { message, code } = error as NodeJS.ErrnoException;
  logger.error(message ?? String(error), { code });
  process.exit(1);
}

async function main(): Promise<void> {
  const service = await serve(readSettings(process.env));
  process.once('SIGTERM', () => {
    service.close().then(() => process.exit(0), fail);
  });
  logger.info('listening', { url: service.url });
  await service.ready;
}

main().catch(fail);
