/** Never sooner than this after a 429, whatever the header says: `Retry-After: 0` is common and not an invitation. */
export const RETRY_AFTER_FLOOR_MS = 1_000;

/** No pause is longer, so that every moment it may end at is a date: a hundred years is "never" to all who wait. */
const LONGEST_MS = 100 * 365 * 86_400_000;

/**
 * The wait that `Retry-After` asks for, in milliseconds from `now` (RFC 9110, section 10.2.3: seconds or an HTTP date).
 * `undefined` when the header is absent or unreadable: then the caller's own back-off holds. Never below the floor.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return within(Number(value) * 1000);
  // Only the forms of an HTTP date: `Date.parse` alone would also take `-1` or `12 bananas`.
  if (!/^[A-Za-z]{3,9},? /.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : within(at - now);
}

function within(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(RETRY_AFTER_FLOOR_MS, ms));
}
