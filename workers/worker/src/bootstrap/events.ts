import type { CoverageReport } from '@_all_docs/partition';

export type Phase = 'list' | 'fetch' | 'prove' | 'tarballs';

/** What a bootstrap tells while it works. The command line prints these as NDJSON. */
export type BootstrapEvent =
  | { type: 'start'; run: string; resumed: boolean; origin: string; registry: string }
  | { type: 'phase'; phase: Phase; total: number | undefined }
  | ProgressEvent
  | { type: 'coverage'; report: CoverageReport }
  | { type: 'error'; code: string; message: string; name?: string };

export interface ProgressEvent {
  type: 'progress';
  phase: Phase;
  /** Names listed, or packages settled. */
  done: number;
  /** Tarballs settled, in their phase: how many there are is known when all documents have been read. */
  tarballs?: number | undefined;
  /** `undefined` while nobody knows. */
  total: number | undefined;
  /** Per second, over the last seconds. */
  rate: number;
  etaSeconds: number | undefined;
  errors: number;
  /** 429s so far. */
  throttled: number;
  requests: number;
  bytes: number;
  /** Seconds that a pause asked for by the origin still lasts; 0 when there is none. */
  pausedSeconds: number;
}

/** What became of tarballs. */
export interface TarballTally {
  /** Fetched, verified and kept; and kept already. */
  stored: number;
  held: number;
  /** Listed in a document, and the registry says that there is none. */
  absent: number;
  failed: number;
  /** Of those that failed: not what the document, or the lockfile, says. */
  mismatched: number;
  /** Of those that were fetched. */
  bytes: number;
}

/** How a bootstrap ended. */
export interface BootstrapResult {
  /** `incomplete`: partitions, packages or tarballs failed; `throttled`: rate limit or budget ended it; `interrupted`: the caller did. */
  status: 'done' | 'incomplete' | 'throttled' | 'interrupted';
  run: string;
  resumed: boolean;
  /** Names that were selected; `undefined` when the listing did not finish. */
  names: number | undefined;
  partitions: number;
  /** Documents fetched and kept, found unchanged by the origin, and held already. */
  stored: number;
  unchanged: number;
  held: number;
  /** Names that the registry has no document for. */
  absent: number;
  failed: number;
  /** `undefined` where none were asked for. */
  tarballs: TarballTally | undefined;
  bytes: number;
  requests: number;
  throttled: number;
  seconds: number;
  coverage: CoverageReport | undefined;
  /** Why it did not finish, in words and as a code. */
  reason?: { code: string; message: string } | undefined;
}
