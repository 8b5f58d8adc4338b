/** @module What a queue is made of, without the work: for runtimes where every byte of a bundle counts. */
export { messageOf, WorkerError } from './errors.js';
export {
  type Lease,
  QUEUE_ATTEMPTS,
  QUEUE_BACKOFF_MS,
  type QueueSize,
  type WorkItem,
  type WorkQueue,
  type WorkResult,
} from './interfaces.js';
export { assertWorkItem } from './work-item.js';
