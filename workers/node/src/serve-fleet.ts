import type { Clock } from '@_all_docs/http';
import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { systemClock } from './clock.js';
import type { Snapshot } from './server/counters.js';
import { ServeError } from './server/errors.js';
import type { ToPrimary, ToWorker } from './server/fleet-messages.js';
import { createLogger } from './server/logger.js';
import { drainMsOf, type RunningServer, type ServeOptions } from './server/serve-options.js';

/** How long a worker may take to say what it counted before the others are answered without it. */
const COUNT_MS = 1_000;
/** Waiting doubles from the first to the last with each death in a row. */
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 10_000;
/** A worker that lived so long did not die of its start. */
const HEALTHY_MS = 30_000;
/** What a worker may take longer to end than its answers do. */
const EXIT_MS = 3_000;

/**
 * Serves from several processes on one port. This one hands connections out in turn, starts workers again that die
 * (waiting longer each time), and gathers their counters; it opens nothing itself.
 */
export async function serveFleet(options: ServeOptions & { workers: number }): Promise<RunningServer> {
  const fleet = new Primary(options);
  const url = await fleet.start();
  return { url, close: () => fleet.close() };
}

/** One place in the fleet, whoever fills it. */
interface Slot {
  worker: Worker | undefined;
  deaths: number;
  startedAt: number;
}

interface Count {
  snapshots: Snapshot[];
  awaited: Set<Worker>;
  done: () => void;
}

class Primary {
  readonly #options: ServeOptions;
  readonly #clock: Clock = systemClock;
  readonly #logger;
  readonly #slots: Slot[];
  readonly #counts = new Map<number, Count>();
  readonly #ending = new AbortController();
  #restarts = 0;
  #nextCount = 0;

  constructor({ workers, concurrency = 64, rate, ...options }: ServeOptions & { workers: number }) {
    // Together they ask the registry no faster than one would.
    this.#options = {
      ...options,
      concurrency: Math.max(1, Math.ceil(concurrency / workers)),
      rate: rate === undefined ? undefined : rate / workers,
    };
    this.#logger = createLogger('warn');
    this.#slots = Array.from({ length: workers }, () => ({ worker: undefined, deaths: 0, startedAt: 0 }));
    const exec = fileURLToPath(new URL('./serve-worker.js', import.meta.url));
    cluster.setupPrimary({ exec, args: [], serialization: 'advanced' });
  }

  /** Resolves with the URL when all listen; when one cannot, none stays. */
  async start(): Promise<string> {
    try {
      const [url] = await Promise.all(this.#slots.map((slot) => this.#fork(slot)));
      return url as string;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#ending.abort();
    const living = this.#slots.flatMap(({ worker }) => worker ?? []).filter((worker) => !worker.isDead());
    await Promise.all(living.map((worker) => this.#end(worker)));
  }

  /** Fills a place; resolves with the URL when the worker listens. */
  #fork(slot: Slot): Promise<string> {
    const worker = cluster.fork();
    slot.worker = worker;
    slot.startedAt = this.#clock.now();
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ToPrimary) => {
        if (message.type === 'listening') resolve(message.url);
        else if (message.type === 'failed') reject(failure(message));
        else this.#onMessage(worker, message);
      });
      // What cannot be sent to a worker that is ending; its exit says all.
      worker.on('error', () => {});
      worker.once('exit', (code, signal) => {
        reject(new ServeError('ERR_WORKER_FAILED', `a worker ended at its start (${signal ?? code})`));
        this.#onExit(slot, worker, signal ?? code);
      });
      worker.once('online', () => {
        tell(worker, { type: 'start', options: this.#options, duties: slot === this.#slots[0] });
      });
    });
  }

  #onMessage(worker: Worker, message: Extract<ToPrimary, { type: 'count' | 'collect' }>): void {
    if (message.type === 'collect') void this.#collect(worker, message.id);
    else {
      const count = this.#counts.get(message.id);
      if (!count?.awaited.delete(worker)) return;
      count.snapshots.push(message.snapshot);
      if (count.awaited.size === 0) count.done();
    }
  }

  /** Asks all workers what they counted and tells the one that wants to know. */
  async #collect(asker: Worker, id: number): Promise<void> {
    const own = this.#nextCount++;
    const { promise, resolve } = Promise.withResolvers<void>();
    const awaited = new Set(this.#slots.flatMap(({ worker }) => (worker?.isConnected() ? worker : [])));
    const workers = awaited.size;
    const count: Count = { snapshots: [], awaited, done: resolve };
    this.#counts.set(own, count);
    for (const worker of awaited) tell(worker, { type: 'count', id: own });
    const timer = setTimeout(resolve, COUNT_MS);
    await promise;
    clearTimeout(timer);
    this.#counts.delete(own);
    tell(asker, { type: 'counted', id, snapshots: count.snapshots, fleet: { workers, restarts: this.#restarts } });
  }

  #onExit(slot: Slot, worker: Worker, how: string | number): void {
    for (const count of this.#counts.values())
      if (count.awaited.delete(worker) && count.awaited.size === 0) count.done();
    if (slot.worker === worker) slot.worker = undefined;
    if (!this.#ending.signal.aborted) void this.#restart(slot, how);
  }

  async #restart(slot: Slot, how: string | number): Promise<void> {
    const lived = this.#clock.now() - slot.startedAt;
    slot.deaths = lived > HEALTHY_MS ? 1 : slot.deaths + 1;
    const waitMs = Math.min(LAST_RESTART_MS, FIRST_RESTART_MS * 2 ** (slot.deaths - 1));
    this.#restarts += 1;
    this.#logger.error?.('a worker died and is started again', { how, lived, waitMs });
    try {
      await this.#clock.sleep(waitMs, this.#ending.signal);
      await this.#fork(slot);
    } catch (error) {
      // A place that cannot be filled now is tried again by the exit of the one that failed.
      if (!this.#ending.signal.aborted) this.#logger.error?.('a worker did not start', { error: String(error) });
    }
  }

  async #end(worker: Worker): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.once('exit', () => resolve());
    tell(worker, { type: 'drain' });
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), drainMsOf(this.#options) + EXIT_MS);
    await promise;
    clearTimeout(timer);
  }
}

/** A worker that ends meanwhile needs no message: its exit says all. */
function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {});
}

function failure({ code, message }: { code: string; message: string }): Error {
  return Object.assign(new Error(message), { code });
}
