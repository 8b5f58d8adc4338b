import type { Change } from '@_all_docs/changes';
import type { PublishedListing } from '@_all_docs/origin/edge';

/** What `GET /listing` and `POST /listing` answer. */
export interface ShownListing {
  origin: string;
  listing: PublishedListing | undefined;
  /** The highest sequence in the log of changes. */
  head: number | undefined;
}

/** What `POST /listing` takes: changes first, in as many requests as it takes; with the last one the listing. */
export interface PushedListing {
  /** Must be the one that the worker replicates. */
  origin: string;
  changes?: Change[];
  listing?: PublishedListing;
  /** Up to where the changes are known that were pushed. */
  cursor?: number | undefined;
}
