import { describe, expect, it } from 'vitest';
import { formatBytes, formatNumber, formatSeconds } from '../src/output/format.ts';
import { describeProgress } from '../src/output/words.ts';

describe('format', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [10_240, '10 KiB'],
    [1024 ** 2, '1.0 MiB'],
    [1.5 * 1024 ** 3, '1.5 GiB'],
    [1024 ** 4, '1.0 TiB'],
    [1024 ** 5, '1024 TiB'],
  ])('%i bytes: %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  // Rounding must not cross into the next unit: there are no 1024 KiB.
  it.each([
    [1024 ** 2 - 1, '1.0 MiB'],
    [1024 ** 3 - 1, '1.0 GiB'],
  ])('%f bytes: %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, '0 s'],
    [0.4, '0 s'],
    [99, '99 s'],
    [100, '2 min'],
    [5_940, '99 min'],
    [6_000, '1.7 h'],
    [172_799, '48.0 h'],
    [172_800, '2.0 days'],
    [864_000, '10.0 days'],
  ])('%f seconds: %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });

  it('numbers have separators, wherever one lives', () => {
    expect([0, 999, 1_000, 4_600_000].map(formatNumber)).toEqual(['0', '999', '1,000', '4,600,000']);
  });
});

describe('describeProgress', () => {
  const event = {
    type: 'progress',
    phase: 'fetch',
    done: 1_200,
    total: 5_000,
    rate: 310.4,
    etaSeconds: 12,
    errors: 3,
    throttled: 1,
    requests: 0,
    bytes: 0,
    pausedSeconds: 0,
  } as const;

  it('says how far it is, how fast, and what is wrong', () => {
    expect(describeProgress(event)).toBe('1,200 of 5,000 (24 %), 310/s, 12 s left, 3 errors, throttled 1 times');
  });

  it('leaves out what is not known or nought', () => {
    expect(
      describeProgress({ ...event, total: undefined, rate: 0, etaSeconds: undefined, errors: 0, throttled: 0 }),
    ).toBe('1,200');
    expect(describeProgress({ ...event, total: 0, done: 0, rate: 0, etaSeconds: 0, errors: 0, throttled: 0 })).toBe(
      '0',
    );
  });

  it('never says 100 % before it is', () => {
    expect(describeProgress({ ...event, done: 4_999, rate: 2.5, etaSeconds: 0.4, errors: 0, throttled: 0 })).toMatch(
      /^4,999 of 5,000 \(99 %\), 2\.5\/s/,
    );
  });

  it('says why nothing moves', () => {
    expect(describeProgress({ ...event, pausedSeconds: 120 })).toContain('the origin asks for a pause of 2 min');
  });
});
