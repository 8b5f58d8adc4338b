import { monitorEventLoopDelay } from 'node:perf_hooks';
import { peakResidentBytes } from './peak-resident.js';
import type { RouteLabel } from './routes.js';

/** What one process counted and uses: plain data, so that it can be sent to another one. */
export interface Snapshot {
  /** Answers by `route status`. */
  requests: Record<string, number>;
  /** Of these, answered from memory at once. */
  hot: number;
  /** Bytes of bodies that were handed to connections. */
  bytes: number;
  inFlight: number;
  connections: number;
  /** Answers whose client went away before their end. */
  aborted: number;
  /** Answers that were cut because their body failed on the way. */
  cut: number;
  /** Connections refused because there were too many. */
  dropped: number;
  process: ProcessUsage;
  /** The registry's own counters. */
  counters: object;
}

export interface ProcessUsage {
  rssBytes: number;
  /** The most there was. */
  peakRssBytes: number;
  cpuSeconds: number;
  /** Seconds since 1970. */
  startedAt: number;
  /** How late timers were lately: seconds. */
  lagP99: number;
  lagMax: number;
}

/** The time over which lateness of timers is looked at. */
const LAG_WINDOW_MS = 60_000;

/** What a server counts. Plain additions: they are made for every request. */
export class Counters {
  readonly #requests = new Map<string, number>();
  /** Answers of the hot path by status. */
  readonly #hot = { packument: new Map<number, number>(), tarball: new Map<number, number>() };
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #delayResetAt = performance.now();
  bytes = 0;
  inFlight = 0;
  aborted = 0;
  cut = 0;
  dropped = 0;

  constructor() {
    this.#delay.enable();
  }

  hot(route: 'packument' | 'tarball', status: number, bytes: number): void {
    const counts = this.#hot[route];
    counts.set(status, (counts.get(status) ?? 0) + 1);
    this.bytes += bytes;
  }

  answered(route: RouteLabel, status: number): void {
    const key = `${route} ${status}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
  }

  snapshot(connections: number, counters: object): Snapshot {
    const requests = Object.fromEntries(this.#requests);
    let hot = 0;
    for (const [route, counts] of Object.entries(this.#hot)) {
      for (const [status, count] of counts) {
        const key = `${route} ${status}`;
        requests[key] = (requests[key] ?? 0) + count;
        hot += count;
      }
    }
    const { bytes, inFlight, aborted, cut, dropped } = this;
    return { requests, hot, bytes, inFlight, connections, aborted, cut, dropped, process: this.#usage(), counters };
  }

  close(): void {
    this.#delay.disable();
  }

  #usage(): ProcessUsage {
    const { user, system } = process.cpuUsage();
    const now = performance.now();
    const { count, max } = this.#delay;
    // Nanoseconds; before its first sample the histogram has no numbers to give.
    const lagP99 = count > 0 ? this.#delay.percentile(99) / 1e9 : 0;
    const lagMax = count > 0 ? max / 1e9 : 0;
    if (now - this.#delayResetAt > LAG_WINDOW_MS) {
      this.#delay.reset();
      this.#delayResetAt = now;
    }
    return {
      rssBytes: process.memoryUsage.rss(),
      peakRssBytes: peakResidentBytes(),
      cpuSeconds: (user + system) / 1e6,
      startedAt: performance.timeOrigin / 1000,
      lagP99,
      lagMax,
    };
  }
}

/** Several processes as one: numbers are added, but the lag of the slowest and the start of the oldest are taken. */
export function sumSnapshots([first, ...rest]: readonly [Snapshot, ...Snapshot[]]): Snapshot {
  return rest.reduce(
    (sum, next) => ({
      ...(add(sum, next) as Snapshot),
      process: {
        rssBytes: sum.process.rssBytes + next.process.rssBytes,
        peakRssBytes: sum.process.peakRssBytes + next.process.peakRssBytes,
        cpuSeconds: sum.process.cpuSeconds + next.process.cpuSeconds,
        startedAt: Math.min(sum.process.startedAt, next.process.startedAt),
        lagP99: Math.max(sum.process.lagP99, next.process.lagP99),
        lagMax: Math.max(sum.process.lagMax, next.process.lagMax),
      },
    }),
    first,
  );
}

/** Adds numbers and unites lists; what only one of them has is kept, and so is the first of what cannot be added. */
function add(a: unknown, b: unknown): unknown {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return [...new Set([...a, ...b])];
  if (!isRecord(a) || !isRecord(b)) return a ?? b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries(Array.from(keys, (key) => [key, add(a[key], b[key])]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
