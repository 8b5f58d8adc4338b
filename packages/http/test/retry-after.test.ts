import { parseRetryAfter, RETRY_AFTER_FLOOR_MS } from '@_all_docs/http';
import { describe, expect, it } from 'vitest';

const NOW = Date.UTC(2025, 5, 1, 12, 0, 0);
const date = (inMs: number) => new Date(NOW + inMs).toUTCString();

describe('parseRetryAfter', () => {
  it.each([
    ['seconds', '7', 7_000],
    ['seconds among spaces', ' 7 ', 7_000],
    ['an hour', '3600', 3_600_000],
    ['one second', '1', 1_000],
    ['zero', '0', RETRY_AFTER_FLOOR_MS],
    ['zeros', '000', RETRY_AFTER_FLOOR_MS],
    ['a date to come', date(90_000), 90_000],
    ['a date less than a second away', date(0), RETRY_AFTER_FLOOR_MS],
    ['a date gone by', date(-3_600_000), RETRY_AFTER_FLOOR_MS],
    ['an old form of dates', 'Sunday, 01-Jun-25 12:01:00 GMT', 60_000],
    ['the C form of dates', 'Sun Jun  1 12:01:00 2025', undefined],
  ])('%s', (name, header, expected) => {
    // asctime names no zone, so what it says depends on the machine; only that it is read at all is asked for.
    if (name === 'the C form of dates')
      expect(parseRetryAfter(header, NOW)).toBeGreaterThanOrEqual(RETRY_AFTER_FLOOR_MS);
    else expect(parseRetryAfter(header, NOW)).toBe(expected);
  });

  it.each([
    undefined,
    '',
    '  ',
    '-1',
    '1.5',
    '+3',
    '1e3',
    '0x10',
    '12 bananas',
    'soon',
    'Infinity',
    'NaN',
    '2025-06-01',
    'Mon, nonsense',
  ])('garbage says nothing: %j', (header) => {
    expect(parseRetryAfter(header, NOW)).toBeUndefined();
  });

  it.each([
    ['14 digits', '9'.repeat(14)],
    ['400 digits', '9'.repeat(400)],
    ['a far date', 'Fri, 31 Dec 275000 23:59:59 GMT'],
  ])('a wait past all dates is still a wait that can be told: %s', (_, header) => {
    const wait = parseRetryAfter(header, NOW);
    if (wait !== undefined) expect(() => new Date(NOW + wait).toISOString()).not.toThrow();
  });
});
