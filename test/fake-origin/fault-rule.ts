import type { RequestKind } from './types.ts';

export const FAULTS = [
  '429',
  '500',
  '502',
  '503',
  'reset',
  'reset-body',
  'cut-body',
  'html-200',
  'html-403',
  'html-404',
  'rate-limit',
  'stall',
  'drip',
  'wrong-length',
  'whole-cut',
  'corrupt-gzip',
  'gzip-bomb',
  'wrong-etag',
  'same-etag',
  'unsolicited-304',
  'empty',
  'json-array',
  'json-null',
  'wrong-name',
  'hostile-keys',
  'bad-utf8',
  'redirect-loop',
  'redirect-host',
  'tarball-host',
  'not-found',
  'huge',
  'page-cut',
  'rows-outside',
  'rows-duplicate',
  'rows-unordered',
  'total-moves',
  'seq-strings',
  'null-ids',
  'design-rows',
  'null-revs',
  'feed-duplicate',
  'feed-unordered',
  'last-seq-low',
  'feed-frozen',
  'feed-gap',
  'feed-short',
  'time-unpublished',
] as const;

export type FaultKind = (typeof FAULTS)[number];

export const STALLS = ['start', 'headers', 'body'] as const;

export interface FaultRule {
  fault: FaultKind;
  /** The share of matching requests that are hit; 1. */
  share?: number;
  /** A regular expression on the decoded path, or on the decoded path with its query. */
  path?: string;
  /** All but `control` when absent; `control` is never hit. Faults of documents or pages hit only those, see ONLY_KIND. */
  kinds?: readonly RequestKind[];
  /** At most so often for each path with its query. */
  times?: number;
  /** For 429, 503 and rate-limit: seconds, 'date' (see afterSeconds), or any other text, sent as it is. */
  retryAfter?: string;
  /** For retryAfter 'date': how far ahead the date lies; may be negative; 1. */
  afterSeconds?: number;
  /** For rate-limit: requests let through in any one second. */
  perSecond?: number;
  /** For stall: what goes out before the silence: nothing, the headers, or half the body too; 'start'. */
  at?: (typeof STALLS)[number];
  /** For drip: the pause after each chunk; 100. */
  msPerChunk?: number;
  /** For drip: the size of a chunk; 64. */
  chunkBytes?: number;
  /** For wrong-length: what Content-Length has above (or, negative, below) the body; needed, not 0. */
  by?: number;
  /** For gzip-bomb and huge: the size when inflated, in bytes; 400 MB and 100 MB. */
  bytes?: number;
  /** For huge: sent plain, whatever the client admits. */
  plain?: boolean;
  /** For redirect-host and tarball-host: an absolute http(s) URL; the path and query are put behind it. Needed. */
  to?: string;
  /** For page-cut, feed-gap and feed-short: rows that are left of those due; half. */
  rows?: number;
}

/** What these faults do makes sense only there. Requests of other kinds are no matches. */
export const ONLY_KIND: Partial<Record<FaultKind, RequestKind>> = {
  'same-etag': 'packument',
  'wrong-name': 'packument',
  'hostile-keys': 'packument',
  'bad-utf8': 'packument',
  huge: 'packument',
  'tarball-host': 'packument',
  'page-cut': 'allDocs',
  'rows-outside': 'allDocs',
  'rows-duplicate': 'allDocs',
  'rows-unordered': 'allDocs',
  'total-moves': 'allDocs',
  'seq-strings': 'changes',
  'null-ids': 'changes',
  'design-rows': 'changes',
  'null-revs': 'changes',
  'feed-duplicate': 'changes',
  'feed-unordered': 'changes',
  'last-seq-low': 'changes',
  'feed-frozen': 'changes',
  'feed-gap': 'changes',
  'feed-short': 'changes',
  'time-unpublished': 'packument',
};
