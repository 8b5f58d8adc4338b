import { compareBytes } from '@_all_docs/cache';
import {
  type AllDocsRow,
  type CoveredPartition,
  inRange,
  type KeyRange,
  Partition,
  proveCoverage,
} from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { row } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

const WHOLE: KeyRange = { startKey: null, endKey: null };
const NAMES = ['a', 'aa', 'b', 'ba', 'c', '\uff5e', '\u{1f600}'];

type Held = Map<string, AllDocsRow[]>;
const label = ({ startKey, endKey }: KeyRange) => JSON.stringify([startKey, endKey]);

/** A pass that is right: every partition with its rows. */
function pass(
  pivots: readonly string[] = ['b', 'c'],
  names: readonly string[] = NAMES,
): { partitions: CoveredPartition[]; held: Held } {
  const held: Held = new Map();
  const partitions = Partition.fromPivots(pivots).map((partition) => {
    const { startKey, endKey } = partition;
    const rows = names.filter((name) => partition.contains(name)).map((name) => row(name));
    held.set(label(partition), rows);
    return { startKey, endKey, rows: rows.length };
  });
  return { partitions, held };
}

function prove(
  { partitions, held }: ReturnType<typeof pass>,
  whole = WHOLE,
  total?: { before: number; after: number; moved: number },
) {
  return proveCoverage(partitions, async (range) => held.get(label(range)), whole, total);
}

async function kinds(...args: Parameters<typeof prove>): Promise<string[]> {
  const report = await prove(...args);
  expect(report.holds).toBe(report.problems.length === 0);
  return [...new Set(report.problems.map(({ kind }) => kind))];
}

describe('a right pass', () => {
  it('holds, and says what it looked at', async () => {
    expect(await prove(pass(), WHOLE, { before: 7, after: 7, moved: 0 })).toEqual({
      holds: true,
      partitions: 3,
      rows: 7,
      problems: [],
      total: { before: 7, after: 7, moved: 0, agrees: true },
    });
  });

  it('holds for any names and pivots, in any order of the partitions', async () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', '\uff5e', '\u{1f600}'), minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name), fc.uniqueArray(name, { maxLength: 6 }), async (names, pivots) => {
        const made = pass(pivots.sort(compareBytes), names.sort(compareBytes));
        made.partitions.reverse();
        expect(await kinds(made, WHOLE, { before: names.length, after: names.length, moved: 0 })).toEqual([]);
      }),
    );
  });

  it('holds for a part of the names, which has no total', async () => {
    const { partitions, held } = pass(['a', 'b', 'c']);
    const middle = { partitions: partitions.slice(1, 3), held };
    const report = await prove(middle, { startKey: 'a', endKey: 'c' });
    expect([report.holds, report.rows, report.total]).toEqual([true, 4, undefined]);
  });

  it('allows as many rows more or less as the origin moved', async () => {
    for (const [before, after, moved] of [
      [9, 9, 2],
      [5, 5, 2],
      [8, 10, 1],
      [4, 6, 1],
      [6, 8, 0],
    ] as const) {
      expect(await kinds(pass(), WHOLE, { before, after, moved })).toEqual([]);
    }
  });
});

describe('what is wrong is found:', () => {
  it('a gap in front, between, at the end, or all of it', async () => {
    for (const left of [0, 1, 2]) {
      const made = pass();
      made.partitions.splice(left, 1);
      expect(await kinds(made)).toEqual(['gap']);
    }
    expect(await kinds({ partitions: [], held: new Map() })).toEqual(['gap']);
    expect(await kinds(pass(), { startKey: null, endKey: null }, { before: 7, after: 7, moved: 0 })).toEqual([]);
  });

  it('a gap in a part of the names', async () => {
    const { partitions, held } = pass(['a', 'b', 'c']);
    for (const whole of [
      { startKey: '-', endKey: 'c' },
      { startKey: 'a', endKey: 'd' },
      { startKey: 'a', endKey: null },
      { startKey: null, endKey: 'c' },
    ]) {
      expect(await kinds({ partitions: partitions.slice(1, 3), held }, whole)).toEqual(['gap']);
    }
  });

  it('an overlap, even of a partition with itself', async () => {
    const made = pass();
    const [first, second] = made.partitions as [CoveredPartition, CoveredPartition];
    expect(await kinds({ ...made, partitions: [...made.partitions, second] })).toContain('overlap');
    expect(await kinds({ ...made, partitions: [...made.partitions, first] })).toContain('overlap');
    const wide = { startKey: 'aa', endKey: 'c', rows: 3 };
    made.held.set(
      label(wide),
      ['aa', 'b', 'ba'].map((name) => row(name)),
    );
    expect(await kinds({ ...made, partitions: [first, wide, made.partitions[2] as CoveredPartition] })).toEqual([
      'overlap',
    ]);
  });

  it('a partition that is not held', async () => {
    const made = pass();
    made.held.delete(label({ startKey: 'b', endKey: 'c' }));
    expect(await kinds(made)).toEqual(['missing']);
  });

  it('rows out of order, or twice', async () => {
    for (const ids of [
      ['aa', 'a'],
      ['a', 'a'],
    ]) {
      const made = pass();
      made.held.set(
        label({ startKey: null, endKey: 'b' }),
        ids.map((name) => row(name)),
      );
      expect(await kinds(made)).toEqual(['order']);
    }
    const made = pass(['d'], NAMES);
    made.held.get(label({ startKey: 'd', endKey: null }))?.reverse();
    expect(await kinds(made)).toEqual(['order']);
  });

  it('rows outside the range, the row at its end among them', async () => {
    for (const stranger of ['c', 'cc', '\u{1f600}']) {
      const made = pass();
      const range = { startKey: 'b', endKey: 'c' };
      made.held.get(label(range))?.push(row(stranger));
      (made.partitions[1] as CoveredPartition).rows = 3;
      expect(await kinds(made)).toEqual(['outside']);
      expect(inRange(stranger, range)).toBe(false);
    }
  });

  it('another count than was marked', async () => {
    const made = pass();
    made.held.get(label({ startKey: 'b', endKey: 'c' }))?.pop();
    expect(await kinds(made)).toEqual(['count']);
    const unmarked = pass();
    for (const partition of unmarked.partitions) partition.rows = undefined;
    expect(await kinds(unmarked)).toEqual([]);
  });

  it('a total that movement does not explain', async () => {
    for (const [before, after, moved] of [
      [8, 8, 0],
      [6, 6, 0],
      [10, 10, 2],
      [4, 4, 2],
      [8, 12, 0],
    ] as const) {
      expect(await kinds(pass(), WHOLE, { before, after, moved })).toEqual(['total']);
    }
    expect((await prove(pass(), WHOLE, { before: 8, after: 8, moved: 0 })).total?.agrees).toBe(false);
  });

  it('and any single name lost from any partition, by count or by total', async () => {
    for (const [i, name] of NAMES.entries()) {
      const made = pass(
        ['b', 'c'],
        NAMES.filter((_, at) => at !== i),
      );
      expect([name, await kinds(made, WHOLE, { before: 7, after: 7, moved: 0 })]).toEqual([name, ['total']]);
    }
  });

  it('a thousand mistakes make a short list, with the last word still there', async () => {
    const made = pass(['b'], []);
    made.held.set(
      label({ startKey: 'b', endKey: null }),
      Array.from({ length: 5_000 }, () => row('a')),
    );
    const report = await prove(made, WHOLE, { before: 0, after: 0, moved: 0 });
    expect(report.problems.length).toBeLessThanOrEqual(101);
    expect(report.problems.at(-1)?.kind).toBe('total');
  });
});
