import type { BlobIndex } from '@_all_docs/content';
import type { Clock } from '@_all_docs/http';
import type { Logger } from '@_all_docs/worker';
import { nowAndThen } from './now-and-then.js';

export interface SweepBlobsOptions {
  clock: Clock;
  logger?: Logger | undefined;
  /** How long after the start, and then after each sweep; a minute and a day unless told. The whole store is listed. */
  firstMs?: number | undefined;
  everyMs?: number | undefined;
  /** How long a blob stays that nobody refers to: whoever stored it is about to; an hour unless told. */
  graceMs?: number | undefined;
}

/**
 * Deletes, now and then, blobs that no row knows of: a crash between storing a blob and linking it leaves one. Only for
 * blobs in the replica's own directory: another replica's rows may refer to blobs elsewhere. Gives a function that ends it.
 */
export function sweepBlobsNowAndThen(
  index: Pick<BlobIndex, 'sweep'>,
  { clock, logger, firstMs = 60_000, everyMs = 24 * 3600_000, graceMs = 3600_000 }: SweepBlobsOptions,
): () => Promise<void> {
  const sweep = async () => {
    const { blobs, bytes } = await index.sweep({ graceMs, orphans: true });
    if (blobs > 0) logger?.info?.('blobs without references were deleted', { blobs, bytes });
  };
  const trouble = 'blobs without references could not be deleted';
  return nowAndThen(sweep, { env: { clock, logger }, firstMs, everyMs, trouble });
}
