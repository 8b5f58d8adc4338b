import type { Clock } from '@_all_docs/http';
import type { WorkQueue } from './interfaces.js';
import { MemoryQueue, type QueueOptions } from './memory-queue.js';

/** The environment's queue, or one in memory: 10 items at once, 20 an interval of 1,000 ms unless told. */
export function createQueue(env: { queue?: WorkQueue | undefined; clock: Clock }, options?: QueueOptions): WorkQueue {
  return env.queue ?? new MemoryQueue(env.clock, options);
}
