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
// What cannot be sent to a primary that is gone: this process ends with it.
process.on('error', () => {});

async function onMessage(message: ToWorker): Promise<void> {
  if (message.type === 'start') await start(message);
  else if (message.type === 'drain') await end();
  else if (message.type === 'count') {
    if (server) await tell({ type: 'count', id: message.id, snapshot: server.snapshot() });
  } else {
    const answer = collecting.get(message.id);
    collecting.delete(message.id);
    // When nobody could say in time, ours have to do.
    const [first = server?.snapshot(), ...rest] = message.snapshots;
    if (first) answer?.({ snapshot: sumSnapshots([first, ...rest]), fleet: message.fleet });
  }
}

async function start({ options, duties }: Extract<ToWorker, { type: 'start' }>): Promise<void> {
  try {
    server = await serveHere(options, { collect, duties, shared: true });
    await tell({ type: 'listening', url: server.url });
  } catch (error) {
    await tell({ type: 'failed', code: codeOf(error) ?? 'ERR_INTERNAL', message: messageOf(error) });
    await end(1);
  }
}

function collect(): ReturnType<Collect> {
  const id = nextCollect++;
  return new Promise((resolve) => {
    collecting.set(id, resolve);
    void tell({ type: 'collect', id });
  });
}

async function end(code = 0): Promise<void> {
  await server?.close();
  process.exitCode = code;
  if (process.connected) process.disconnect();
}

/** Resolves when it went out, or cannot: the channel must not be closed before. */
function tell(message: ToPrimary): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (process.connected && process.send) process.send(message, () => resolve());
  else resolve();
  return promise;
}
