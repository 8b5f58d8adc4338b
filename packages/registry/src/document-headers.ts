import type { EntryMetadata } from '@_all_docs/cache';
import { httpDate } from './http-date.js';
import { MEDIA_TYPE } from './negotiate.js';
import type { VariantKey } from './rendition.js';
import type { Settings } from './settings.js';

/** What is said of the document behind an answer. */
export interface Shown {
  readonly metadata: Pick<EntryMetadata, 'storedAt'>;
  /** `stale` is older than it should be, and being renewed; `miss` had to be fetched. */
  readonly how: 'hit' | 'stale' | 'miss';
  /** Code of the error that the last try to renew it ended with. */
  readonly trouble: string | undefined;
  /** Epoch milliseconds at which the index was asked. */
  readonly checkedAt: number;
}

/** What a 200 and a 304 both say (RFC 9110, section 15.4.5). */
export function commonHeaders(
  etag: string,
  found: Shown,
  { cacheControl, tarballHost, maxAgeMs }: Pick<Settings, 'cacheControl' | 'tarballHost' | 'maxAgeMs'>,
): string[] {
  const age = Math.max(0, found.checkedAt - found.metadata.storedAt);
  return [
    'etag',
    etag,
    'cache-control',
    cacheControl,
    'vary',
    tarballHost === 'auto' ? 'Accept, Accept-Encoding, User-Agent' : 'Accept, Accept-Encoding',
    'age',
    String(Math.floor(age / 1000)),
    'cache-status',
    cacheStatus(found, maxAgeMs - age),
  ];
}

/** What only a 200 says; the length where it is known. */
export function bodyHeaders(
  { part, gzip }: Pick<VariantKey, 'part' | 'gzip'>,
  lastModified: string | undefined,
  length: number | undefined,
): string[] {
  const headers = ['content-type', part === 'abbreviated' ? MEDIA_TYPE.abbreviated : MEDIA_TYPE.full];
  if (length !== undefined) headers.push('content-length', String(length));
  if (gzip) headers.push('content-encoding', 'gzip');
  if (lastModified !== undefined) headers.push('last-modified', lastModified);
  return headers;
}

/** When a document changed last, as an HTTP date, where that is known. */
export function lastModifiedOf({ lastModified, modified }: EntryMetadata): string | undefined {
  return httpDate(lastModified) ?? httpDate(modified);
}

/** RFC 9211: whether the answer came from here, how long it stays fresh (below zero: how long it has not been), and why it could not be renewed. */
function cacheStatus({ how, trouble }: Shown, ttlMs: number): string {
  if (how === 'miss') return '_all_docs; fwd=miss; stored';
  const ttl = Number.isFinite(ttlMs) ? `; ttl=${Math.floor(ttlMs / 1000)}` : '';
  return `_all_docs; hit${ttl}${trouble === undefined ? '' : `; detail=${trouble}`}`;
}
