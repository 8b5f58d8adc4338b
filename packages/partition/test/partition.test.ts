import { compareBytes } from '@_all_docs/cache';
import { assertRange, compareRanges, inRange, Partition } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '@', '/', 'é', '\uff5e', '\u{1f600}'),
  minLength: 1,
  maxLength: 4,
});
const ranges = (partitions: readonly Partition[]) => partitions.map(({ startKey, endKey }) => [startKey, endKey]);

describe('Partition.fromPivots', () => {
  const abc = [
    [null, 'a'],
    ['a', 'b'],
    ['b', 'c'],
    ['c', null],
  ];
  it.each([
    [['a', 'b', 'c'], abc],
    [[null, 'a', 'b', 'c', null], abc],
    [[null, 'a', 'b', 'c'], abc],
    [['a', 'b', 'c', null], abc],
    [[], [[null, null]]],
    [[null], [[null, null]]],
    [[null, null], [[null, null]]],
    [
      ['\uff5e', '\u{1f600}'],
      [
        [null, '\uff5e'],
        ['\uff5e', '\u{1f600}'],
        ['\u{1f600}', null],
      ],
    ],
    [
      ['B', 'a', 'a-b', 'a.b', 'ab'],
      [
        [null, 'B'],
        ['B', 'a'],
        ['a', 'a-b'],
        ['a-b', 'a.b'],
        ['a.b', 'ab'],
        ['ab', null],
      ],
    ],
  ])('%j', (pivots, expected) => {
    expect(ranges(Partition.fromPivots(pivots))).toEqual(expected);
  });

  it('shows itself as the snippet has it', () => {
    expect(Partition.fromPivots(['a', 'b', 'c']).map(String)).toEqual(['[null-a]', '[a-b]', '[b-c]', '[c-null]']);
    expect(Partition.fromPivots(['a'])[0]?.key).toBe('v1:partition:npm::61');
    expect(Partition.fromPivots(['a'], 'https://h.example')[1]?.key).toBe('v1:partition:https%3A%2F%2Fh.example:61:');
  });

  it.each([
    ['unsorted', ['b', 'a']],
    ['repeated', ['a', 'a']],
    ['repeated later', ['a', 'b', 'b', 'c']],
    ['sorted by UTF-16 units', ['\u{1f600}', '\uff5e']],
    ['sorted by a locale', ['a', 'B']],
    ['a number', ['a', 5]],
    ['undefined', ['a', undefined]],
    ['an object', [{}]],
    ['empty', ['', 'a']],
    ['a lone surrogate', ['a\ud800']],
    ['null in between', ['a', null, 'b']],
    ['null twice in front', [null, null, 'a']],
    ['no list', 'abc'],
    ['nothing', undefined],
    ['null', null],
    ['an object like a list', { length: 1, 0: 'a' }],
  ])('refuses %s with ERR_BAD_PIVOTS', async (_, pivots) => {
    expect(await codeOf(() => Partition.fromPivots(pivots as string[]))).toBe('ERR_BAD_PIVOTS');
  });

  it('gives every name to exactly one partition', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 12 }), name, (pivots, asked) => {
        const partitions = Partition.fromPivots(pivots.sort(compareBytes));
        expect(partitions).toHaveLength(pivots.length + 1);
        expect(partitions.filter((partition) => partition.contains(asked))).toHaveLength(1);
      }),
    );
  });
});

describe('ranges', () => {
  it('are half open in byte order', () => {
    expect(inRange('a', { startKey: 'a', endKey: 'b' })).toBe(true);
    expect(inRange('b', { startKey: 'a', endKey: 'b' })).toBe(false);
    expect(inRange('\u{1f600}', { startKey: '\uff5e', endKey: null })).toBe(true);
    expect(inRange('\uff5e', { startKey: null, endKey: '\u{1f600}' })).toBe(true);
    expect(inRange('x', { startKey: null, endKey: null })).toBe(true);
  });

  it.each([
    ['a', 'a'],
    ['b', 'a'],
    ['\u{1f600}', '\uff5e'],
    ['', 'a'],
    ['a', ''],
    ['\ud800', null],
    [5, null],
    [undefined, 'a'],
  ])('[%j, %j) is ERR_BAD_RANGE', async (startKey, endKey) => {
    const range = { startKey, endKey } as { startKey: string; endKey: string };
    expect(await codeOf(() => assertRange(range))).toBe('ERR_BAD_RANGE');
    expect(await codeOf(() => new Partition(range))).toBe('ERR_BAD_RANGE');
  });

  it('sort by their start, null first', () => {
    const sorted = ranges(Partition.fromPivots(['a', 'b', '\uff5e', '\u{1f600}']).reverse().sort(compareRanges));
    expect(sorted.map(([start]) => start)).toEqual([null, 'a', 'b', '\uff5e', '\u{1f600}']);
  });
});
