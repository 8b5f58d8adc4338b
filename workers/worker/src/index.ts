/** @module Work items, queues and the bootstrap, for every runtime. */

export { checkpointPrefix } from '@_all_docs/checkpoint';
export type { CoverageReport } from '@_all_docs/partition';
export { type BootstrapOptions, bootstrap, proveRun } from './bootstrap/bootstrap.js';
export type { BootstrapEvent, BootstrapResult, Phase, ProgressEvent, TarballTally } from './bootstrap/events.js';
export { learnedPivots, pivotsFor, teachPivots } from './bootstrap/learned-pivots.js';
export { type OriginInfo, readOriginInfo } from './bootstrap/origin-info.js';
export { type Outcome, Outcomes } from './bootstrap/outcomes.js';
export { OWNER_PREFIX } from './bootstrap/owner.js';
export { type BootstrapPlan, type PlannedStore, planBootstrap } from './bootstrap/plan.js';
export { type Depth, listRuns, markPrefixes, RUN_PREFIX, type Run, runProgress } from './bootstrap/run.js';
export {
  EVERYTHING,
  type NameSelection,
  nameList,
  type RangeSelection,
  type Selection,
  scopeSelection,
  versionList,
  type WantedVersion,
  type WantedVersions,
} from './bootstrap/selection.js';
export { codeOf, messageOf, WorkerError, type WorkerErrorCode } from './errors.js';
export {
  type FollowEvent,
  type FollowOptions,
  type FollowResult,
  follow,
  type ReconcileRun,
  reconcileNow,
} from './follow/follow.js';
export { type FollowStatus, FollowStatusReader, followStatus } from './follow/status.js';
export {
  type Env,
  type Lease,
  type Logger,
  type PackumentPayload,
  type PartitionPayload,
  QUEUE_ATTEMPTS,
  QUEUE_BACKOFF_MS,
  type QueueSize,
  type WorkItem,
  type WorkQueue,
  type WorkResult,
} from './interfaces.js';
export { MemoryQueue, type QueueOptions } from './memory-queue.js';
export { BUDGET_PREFIX, MonthlyBudget, NPM_MONTHLY_REQUESTS } from './monthly-budget.js';
export { processPackument, processPartition, processWorkItem, workQueue } from './processor.js';
export { createQueue } from './queue.js';
export { createStorageDriver } from './storage.js';
export { assertWorkItem } from './work-item.js';
