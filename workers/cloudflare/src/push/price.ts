import { MOST_BYTES, MOST_PAIRS } from './batch.js';
import type { PushResult } from './push.js';

/** Requests beside those that were made, and dollars by the prices published in 2026: $5 a million KV writes, deletes and listings, $4.50 a million R2 writes; storage $0.50 and $0.015 a GB-month. */
export interface PushPrice {
  requests: number;
  bytes: number;
  dollars: number;
  dollarsAMonth: number;
}

const KV_OPERATION = 5e-6;
const R2_OPERATION = 4.5e-6;
const KV_GB = 0.5;
const R2_GB = 0.015;
const GB = 1e9;
/** Bodies travel in base64. */
const BODY_BYTES = (MOST_BYTES * 3) / 4;

/** What a push costs that is as large as that plan. */
export function priceOf(plan: PushResult): PushPrice {
  const kinds = [plan.documents, plan.tarballs, plan.partitions];
  const sum = (of: 'sent' | 'deleted' | 'bytes') => kinds.reduce((total, counts) => total + counts[of], 0);
  const { blobs, blobBytes } = plan.tarballs;
  const puts = kinds.reduce(
    (total, { sent, bytes }) => total + Math.ceil(Math.max(sent / MOST_PAIRS, bytes / BODY_BYTES)),
    0,
  );
  return {
    requests: plan.requests + puts + 2 * blobs,
    bytes: sum('bytes') + blobBytes,
    dollars: (sum('sent') + sum('deleted') + plan.requests) * KV_OPERATION + blobs * R2_OPERATION,
    dollarsAMonth: (sum('bytes') / GB) * KV_GB + (blobBytes / GB) * R2_GB,
  };
}
