/** A request's headers by lower-case name. */
export type HeaderLookup = (name: string) => string | undefined;

/**
 * Whether a client holds what it would be sent (RFC 9110, section 13.2.2): `If-None-Match` by weak comparison, and only
 * without it `If-Modified-Since`. `lastModified` is an HTTP date; `undefined` when it is not known.
 */
export function isUnchanged(headers: HeaderLookup, etag: string, lastModified: string | undefined): boolean {
  const match = headers('if-none-match');
  if (match !== undefined) return match === etag || matches(match, etag);
  const since = headers('if-modified-since');
  return since !== undefined && lastModified !== undefined && Date.parse(lastModified) <= Date.parse(since);
}

/** Whether a list of entity tags names this one, or all. */
function matches(list: string, etag: string): boolean {
  if (list.trim() === '*') return true;
  for (const [, tag] of list.matchAll(/(?:W\/)?("[^"]*")/g)) {
    if (tag === etag) return true;
  }
  return false;
}

/**
 * Whether a `Range` may be honoured (RFC 9110, section 13.1.5): without `If-Range`, or where it names this very tag,
 * by strong comparison. A date is never taken for a strong validator.
 */
export function rangeHolds(ifRange: string | undefined, etag: string | undefined): boolean {
  return ifRange === undefined || ifRange.trim() === etag;
}
