/** @module The npm registry protocol over a replica. */
export { type Answer, type AnswerRequest, errorAnswer, jsonAnswer, notFound } from './answer.js';
export {
  ChangedDocuments,
  type ChangedDocumentsOptions,
  type Gone,
  type GoneReason,
  isUpToDate,
  type Settlement,
} from './changed-documents.js';
export { type ChangedMark, newMark } from './changed-mark.js';
export { type ClearedPulled, clearPulled } from './clear-pulled.js';
export { type CheckedAndDerived, checkAndDerive, type DeriveOptions, deriveDocument } from './derive.js';
export { RegistryError, type RegistryErrorCode } from './errors.js';
export { createLeaseFlight, type LeaseFlightOptions } from './lease-flight.js';
export { acceptsGzip } from './negotiate.js';
export { NpmRegistry } from './npm-registry.js';
export {
  ABSENT_PREFIX,
  DERIVED_LEDGER_PREFIX,
  DERIVED_PREFIX,
  FLIGHT_PREFIX,
  PULLED_PREFIX,
  RESOURCE_LEDGER_PREFIX,
  RESOURCE_PREFIX,
} from './prefixes.js';
export { PulledDocuments, type PulledOptions } from './pulled-documents.js';
export { readDists } from './read-dists.js';
export { type Removal, removalOf } from './removal.js';
export { createSingleFlight, type SingleFlight } from './single-flight.js';
export type { RegistryStats } from './stats.js';
export { streamOf } from './stream-of.js';
export {
  type SharedTarballs,
  Tarballs,
  type TarballsEnv,
  type TarballsOptions,
  type TarballsStats,
} from './tarballs.js';
export type { Tarball } from './tarballs-body.js';
export type {
  Dist,
  HotAnswer,
  RegistryEnv,
  RegistryLogger,
  RegistryOptions,
  TarballHost,
} from './types.js';
