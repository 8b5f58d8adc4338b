import { integrityOfShasum } from '@_all_docs/content';
import type { Dist } from './types.js';

/** What the document says that a tarball must be, in one form; `undefined` where it says nothing. */
export function integrityOf({ integrity, shasum }: Dist): string | undefined {
  return integrity?.trim() || (shasum === undefined ? undefined : integrityOfShasum(shasum));
}
