import { compareBytes } from '@_all_docs/cache';
import { heldNames, heldRanges, inRange, Partition } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllDocsOrigin, clientOf, ORIGIN, row } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', 'é', '\uff5e', '\u{1f600}'),
  minLength: 1,
  maxLength: 4,
});
const sorted = (names: Iterable<string>) => [...new Set(names)].sort(compareBytes);

async function collect(names: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const name of names) all.push(name);
  return all;
}

describe('held names', () => {
  it('come once and in order, however the sets of several passes overlap', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 40 }).map(sorted),
        fc.array(fc.array(name, { maxLength: 4 }).map(sorted), { minLength: 1, maxLength: 3 }),
        async (names, sets) => {
          const { client, storage } = clientOf(new AllDocsOrigin([]));
          for (const pivots of sets)
            for (const range of Partition.fromPivots(pivots)) {
              const rows = names.filter((id) => inRange(id, range)).map((id) => row(id));
              await client.store({ startKey: range.startKey, endKey: range.endKey }, rows, rows.length);
            }
          const ranges = await heldRanges({ origin: ORIGIN, storage });
          expect(await collect(heldNames(client, ranges))).toEqual(names);
        },
      ),
    );
  });

  it('are those of one origin, by range, the wider one first', async () => {
    const { client, storage } = clientOf(new AllDocsOrigin([]));
    const ranges = [
      { startKey: null, endKey: null },
      { startKey: null, endKey: 'b' },
      { startKey: 'a', endKey: null },
      { startKey: 'a', endKey: 'c' },
      { startKey: 'a', endKey: 'b' },
    ];
    for (const range of ranges.toReversed()) await client.store(range, [], 0);
    expect(await heldRanges({ origin: ORIGIN, storage })).toEqual(ranges);
    expect(await heldRanges({ origin: 'https://another.example', storage })).toEqual([]);
  });
});
