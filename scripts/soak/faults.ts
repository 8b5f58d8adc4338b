import type { FaultKind, FaultRule } from '../../test/fake-origin/index.ts';

const WIRE: FaultKind[] = ['500', '502', '503', 'reset', 'reset-body', 'cut-body', 'html-200', 'html-403', 'html-404'];
const DOCUMENTS: FaultKind[] = [
  'whole-cut',
  'corrupt-gzip',
  'wrong-etag',
  'empty',
  'json-array',
  'json-null',
  'wrong-name',
  'hostile-keys',
  'time-unpublished',
  'not-found',
];
const FEED: FaultKind[] = [
  ...['seq-strings', 'null-ids', 'design-rows', 'null-revs', 'feed-duplicate', 'feed-unordered', 'last-seq-low'],
  ...['feed-frozen', 'feed-short'],
] as FaultKind[];

/** Faults of every kind in a share of the requests: on the wire, in documents, in pages of the feed. */
export function faultRules(share: number): FaultRule[] {
  const spread = (faults: readonly FaultKind[], more: Partial<FaultRule> = {}) =>
    faults.map((fault): FaultRule => ({ fault, share: share / 2 / faults.length, ...more }));
  return [...spread(WIRE), ...spread(DOCUMENTS, { kinds: ['packument'] }), ...spread(FEED, { kinds: ['changes'] })];
}
