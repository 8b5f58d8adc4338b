import type { FollowStatus } from '@_all_docs/worker';
import { VERSION } from '../version.js';
import type { Snapshot } from './counters.js';
import { type Fleet, PROMETHEUS_TYPE, renderMetrics } from './prometheus.js';

/** `starting` until the registry is open, `draining` from the moment in which the server was told to end. */
export type ServerState = 'starting' | 'ready' | 'draining';

/** The counters of all processes together. */
export type Collect = () => Promise<{ snapshot: Snapshot; fleet: Fleet }>;

export interface OperationsOptions {
  state: () => ServerState;
  collect: Collect;
  /** What `/-/status.json` says of the settings. */
  about: () => object;
  feed: () => Promise<FollowStatus | undefined>;
}

export interface OperationAnswer {
  status: number;
  type: string;
  body: string;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** Paths that need no token: whoever watches over the process has none. */
const OPEN: ReadonlySet<string> = new Set(['/health', '/livez', '/readyz']);
const PATHS: ReadonlySet<string> = new Set([...OPEN, '/metrics', '/-/status.json']);

/** Whether it is one of the server's own paths; exactly that: `/health/-/health-1.0.0.tgz` is a package's. */
export function isOperation(path: string): boolean {
  return PATHS.has(path);
}

export function needsNoToken(path: string): boolean {
  return OPEN.has(path);
}

/** Answers one of the server's own paths. */
export async function answerOperation(path: string, options: OperationsOptions): Promise<OperationAnswer> {
  const state = options.state();
  if (path === '/livez') return json(200, { status: 'ok' });
  if (path === '/readyz') return json(state === 'ready' ? 200 : 503, { status: state });
  if (path === '/health') return json(200, { status: state, version: VERSION });
  const { snapshot, fleet } = await options.collect();
  const feed = await options.feed();
  if (path === '/metrics') return { status: 200, type: PROMETHEUS_TYPE, body: renderMetrics(snapshot, fleet, feed) };
  const uptimeSeconds = Math.round(Date.now() / 1000 - snapshot.process.startedAt);
  return json(200, { version: VERSION, state, ...options.about(), feed, uptimeSeconds, ...fleet, ...snapshot });
}

function json(status: number, value: object): OperationAnswer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}
