import type { TransportResponse } from './transport.js';

/**
 * What an answer means for pace and retry:
 * - `ok`: the origin answered; 404, 401 and 304 are answers too
 * - `throttled`: slow down (429, or 503 with Retry-After)
 * - `trouble`: not an answer at all (5xx, or the HTML of a block page under any status)
 */
export type Verdict = 'ok' | 'throttled' | 'trouble';

export function classify(response: TransportResponse): Verdict {
  if (response.status === 429) return 'throttled';
  if (response.status === 503 && response.headers['retry-after'] !== undefined) return 'throttled';
  if (response.status >= 500) return 'trouble';
  return isHtml(response) ? 'trouble' : 'ok';
}

/** The registry speaks JSON and tarballs only: HTML is a block page or a login page, never news about a package. */
export function isHtml(response: TransportResponse): boolean {
  if (response.status === 304) return false;
  if (/^\s*(text\/html|application\/xhtml)/i.test(response.headers['content-type'] ?? '')) return true;
  if (response.encoding !== 'identity') return false;
  // `<` cannot begin a JSON document; some block pages claim another type, or begin with white space or a byte order mark.
  const { body } = response;
  let first = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  while (body[first] === 0x20 || body[first] === 0x09 || body[first] === 0x0a || body[first] === 0x0d) first += 1;
  return body[first] === 0x3c;
}
