/** @module Progress of partition sets, kept in the ordered store. */
export { CheckpointError, type CheckpointErrorCode } from './errors.js';
export {
  checkpointPrefix,
  PartitionCheckpoint,
  type PartitionLease,
  type PartitionProgress,
  type PartitionRecord,
} from './partition-checkpoint.js';
