import { WorkerError } from './errors.js';
import type { WorkItem } from './interfaces.js';

/** `ERR_BAD_WORK_ITEM` unless every queue could carry this item. */
export function assertWorkItem(item: WorkItem): void {
  const { type, id, priority, attempts } = item ?? {};
  if (typeof type !== 'string' || type === '' || typeof id !== 'string' || id === '') {
    throw new WorkerError('ERR_BAD_WORK_ITEM', 'a work item needs a type and an id, both non-empty strings');
  }
  if (!Number.isInteger(priority) || priority < 1 || !Number.isInteger(attempts) || attempts < 0) {
    throw new WorkerError(
      'ERR_BAD_WORK_ITEM',
      `work item ${id}: priority must be a whole number from 1 (most urgent), attempts one from 0`,
    );
  }
}
