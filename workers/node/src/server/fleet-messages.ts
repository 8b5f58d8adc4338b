import type { Snapshot } from './counters.js';
import type { Fleet } from './prometheus.js';
import type { ServeOptions } from './serve-options.js';

/** What the primary tells a worker. */
export type ToWorker =
  | { type: 'start'; options: ServeOptions; duties: boolean }
  | { type: 'drain' }
  | { type: 'count'; id: number }
  | { type: 'counted'; id: number; snapshots: Snapshot[]; fleet: Fleet };

/** What a worker tells the primary. `collect` asks for the counters of all. */
export type ToPrimary =
  | { type: 'listening'; url: string }
  | { type: 'failed'; code: string; message: string }
  | { type: 'count'; id: number; snapshot: Snapshot }
  | { type: 'collect'; id: number };
