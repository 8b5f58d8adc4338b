import { hashRanges, Partition, PartitionSet } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

describe('PartitionSet', () => {
  it('is the partitions of a list of pivots, for one origin', () => {
    const set = PartitionSet.fromPivots('https://h.example', ['a', 'b']);
    expect(set.length).toBe(3);
    expect([...set].map(String)).toEqual(['[null-a]', '[a-b]', '[b-null]']);
    expect([...set].every(({ origin }) => origin === 'https://h.example')).toBe(true);
    expect(set.partitions).toEqual([...set]);
  });

  it('has the same hash for the same pivots, however they are written', () => {
    const hash = PartitionSet.fromPivots('npm', ['a', 'b']).hash;
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(PartitionSet.fromPivots('npm', [null, 'a', 'b', null]).hash).toBe(hash);
    expect(new PartitionSet('npm', Partition.fromPivots(['a', 'b'])).hash).toBe(hash);
    expect(PartitionSet.fromPivots('npm', ['a', 'c']).hash).not.toBe(hash);
    expect(PartitionSet.fromPivots('npm', ['a']).hash).not.toBe(hash);
  });

  it('refuses bad pivots', async () => {
    expect(await codeOf(() => PartitionSet.fromPivots('npm', ['b', 'a']))).toBe('ERR_BAD_PIVOTS');
  });
});

describe('hashRanges', () => {
  const end = fc.option(
    fc.string({ unit: fc.constantFrom('a', ',', '"', '[', ']', '\\', 'n', 'u', 'l'), minLength: 1, maxLength: 5 }),
    { nil: null },
  );
  const list = fc.array(fc.record({ startKey: end, endKey: end }), { maxLength: 4 });

  it('tells lists apart that would look alike when joined', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        expect(hashRanges(a) === hashRanges(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(hashRanges([{ startKey: 'null', endKey: null }])).not.toBe(hashRanges([{ startKey: null, endKey: 'null' }]));
  });

  it('takes any iterable and looks at the ends only', () => {
    const ranges = Partition.fromPivots(['a']);
    expect(hashRanges(new Set(ranges))).toBe(hashRanges(ranges.map(({ startKey, endKey }) => ({ endKey, startKey }))));
  });
});
