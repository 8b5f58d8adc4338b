/** @module Key ranges of a registry: partitions, listing, coverage. */
export {
  type CoverageProblem,
  type CoverageReport,
  type CoveredPartition,
  type OriginCount,
  proveCoverage,
} from './coverage.js';
export { PartitionError, type PartitionErrorCode } from './errors.js';
export { heldNames, heldRanges, heldRows } from './held.js';
export type { Listing } from './listing.js';
export { mergeSmall } from './merge.js';
export { type AllDocsPage, type AllDocsRow, type Dropped, PAGE_LIMIT, shortestSeparator } from './page.js';
export { type ParsedPage, parsePage } from './parse-page.js';
export { assertRange, compareRanges, inRange, type KeyRange, Partition } from './partition.js';
export {
  PartitionClient,
  type PartitionEnv,
  type PartitionRequestOptions,
} from './partition-client.js';
export { hashRanges, PartitionSet } from './partition-set.js';
export { addPivots, type Balance, cutNames, measureBalance, type SortedNames } from './pivots.js';
export type { RowTable } from './row-table.js';
