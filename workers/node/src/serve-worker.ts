/** @module One process of several that serve on one port: started by `serve` with `workers`. */
import { codeOf, messageOf } from '@_all_docs/worker';
import { sumSnapshots } from './server/counters.js';
import type { ToPrimary, ToWorker } from './server/fleet-messages.js';
import type { Collect } from './server/operations.js';
import { type HereServer, serveHere } from './server/serve-here.js';

let server: HereServer | undefined;
const collecting = new Map<number, (counted: Awaited<ReturnType<Collect>>) => void>();
let nextCollect = 0;

process.on('message', (message: ToWorker) => void onMessage(message));
// A terminal sends its interrupt to the whole group: what to do then is the primary's to say.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('SIGTERM', () => void end());

async function onMessage(message: ToWorker): Promise<void> {
  if (message.type === 'start') await start(message);
  else if (message.type === 'drain') await end();
  else if (message.type === 'count') {
    if (server) tell({ type: 'count', id: message.id, snapshot: server.snapshot() });
  } else {
    const [first, ...rest] = message.snapshots;
    const answer = collecting.get(message.id);
    collecting.delete(message.id);
    if (first) answer?.({ snapshot: sumSnapshots([first, ...rest]), fleet: message.fleet });
  }
}

async function start({ options, duties }: Extract<ToWorker, { type: 'start' }>): Promise<void> {
  try {
    server = await serveHere(options, { collect, duties });
    tell({ type: 'listening', url: server.url });
  } catch (error) {
    tell({ type: 'failed', code: codeOf(error) ?? 'ERR_INTERNAL', message: messageOf(error) });
    await end(1);
  }
}

function collect(): ReturnType<Collect> {
  const id = nextCollect++;
  return new Promise((resolve) => {
    collecting.set(id, resolve);
    tell({ type: 'collect', id });
  });
}

async function end(code = 0): Promise<void> {
  await server?.close();
  // What was said goes out first.
  process.disconnect?.();
  process.exitCode = code;
}

function tell(message: ToPrimary): void {
  process.send?.(message);
}
