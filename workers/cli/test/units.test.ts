import { describe, expect, it } from 'vitest';
import { parseDuration, parseSize } from '../src/units.ts';

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['1048576', 1_048_576],
    ['10GB', 10_000_000_000],
    ['2GiB', 2_147_483_648],
    ['1.5 gb', 1_500_000_000],
    ['500mb', 500_000_000],
    ['3B', 3],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', 'much', '-1', '1GBs', '1 G B', '0x10', '1e3', 'GB', '99999999TB'])('%j is none', (text) =>
    expect(() => parseSize(text)).toThrow(/500MB/),
  );
});

describe('durations', () => {
  it.each([
    ['15m', 900_000],
    ['7d', 604_800_000],
    ['168h', 604_800_000],
    ['90 s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['2W', 1_209_600_000],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '7', 'd', '-1d', '1y', '1d2h'])('%j is none', (text) =>
    expect(() => parseDuration(text)).toThrow(/15m/),
  );
});
