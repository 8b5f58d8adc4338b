import { compareBytes } from '@_all_docs/cache';
import { inRange, type KeyRange, PAGE_LIMIT, Partition } from '@_all_docs/partition';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllDocsOrigin, answer, clientOf, codeOf, idsOf, ORIGIN } from './_all-docs-origin.ts';

fc.configureGlobal({ seed: 20250601 });

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '@', '/', '"', '\\', '&', '=', '+', '%', ' ', 'é', '\uff5e', '\u{1f600}'),
  minLength: 1,
  maxLength: 5,
});
const end = fc.option(name, { nil: null });
const WHOLE: KeyRange = { startKey: null, endKey: null };

function expected(names: Iterable<string>, range: KeyRange): string[] {
  return [...new Set(names)].filter((id) => inRange(id, range)).sort(compareBytes);
}

/** Names enough for several full pages, some of them far beyond ASCII. */
function manyNames(count: number): string[] {
  const heads = ['', '@s/', 'é', '\uff5e', '\u{1f600}', 'A'];
  return Array.from({ length: count }, (_, i) => `${heads[i % heads.length]}pkg-${(i * 7919) % 1_000_003}`);
}

describe('request', () => {
  it("returns each name of the range once, whatever the origin's page size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 60 }),
        end,
        end,
        fc.integer({ min: 2, max: 20 }),
        async (names, a, b, cap) => {
          fc.pre(a === null || b === null || a !== b);
          const [startKey, endKey] = a !== null && b !== null && compareBytes(a, b) > 0 ? [b, a] : [a, b];
          const { client } = clientOf(new AllDocsOrigin(names, cap));
          const result = await client.request({ startKey, endKey });
          expect(result.statusCode).toBe(200);
          expect(idsOf(result.json().rows)).toEqual(expected(names, { startKey, endKey }));
          expect(result.json().total_rows).toBe(new Set(names).size);
          expect(result.json().offset).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('does so with pages of changing size too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 60 }),
        fc.infiniteStream(fc.integer({ min: 2, max: 9 })),
        async (names, caps) => {
          const { client } = clientOf(new AllDocsOrigin(names, () => caps.next().value as number));
          expect(idsOf((await client.request(WHOLE)).json().rows)).toEqual(expected(names, WHOLE));
        },
      ),
    );
  });

  it('and across all partitions of any pivots', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 40 }),
        fc.uniqueArray(name, { maxLength: 8 }),
        fc.integer({ min: 2, max: 9 }),
        async (names, pivots, cap) => {
          const { client } = clientOf(new AllDocsOrigin(names, cap));
          const ids: string[] = [];
          for (const partition of Partition.fromPivots(pivots.sort(compareBytes)))
            ids.push(...idsOf((await client.request(partition)).json().rows));
          expect(ids).toEqual(expected(names, WHOLE));
        },
      ),
    );
  });

  it.each([10_000, 7_001, 9_999])(
    'cuts where a page is full, and loses nothing: 25,000 names in pages of %d',
    async (cap) => {
      const names = manyNames(25_000);
      const origin = new AllDocsOrigin(names, cap);
      const { client } = clientOf(origin);
      expect(idsOf((await client.request(WHOLE)).json().rows)).toEqual(expected(names, WHOLE));
      expect(origin.questions.every(({ limit }) => limit === PAGE_LIMIT)).toBe(true);
      expect(origin.requests.length).toBeLessThan(12);
    },
  );

  it.each([9_999, 10_000, 10_001, 20_000])(
    'is right when the last page is full to the brim: %d names',
    async (count) => {
      const names = Array.from({ length: count }, (_, i) => `n${String(i).padStart(6, '0')}`);
      const { client } = clientOf(new AllDocsOrigin(names));
      expect((await client.request(WHOLE)).json().rows).toHaveLength(count);
      const ended = clientOf(new AllDocsOrigin([...names, 'o']));
      expect((await ended.client.request({ startKey: 'n', endKey: 'o' })).json().rows).toHaveLength(count);
    },
  );

  it('takes a range as the snippet writes it, and open ends that are left out', async () => {
    const { client } = clientOf(new AllDocsOrigin(['a', 'express', 'express-session', 'express-z', 'z']));
    expect(idsOf((await client.request({ startKey: 'express', endKey: 'express-z' })).json().rows)).toEqual([
      'express',
      'express-session',
    ]);
    expect(idsOf((await client.request({ startKey: 'express-z' } as KeyRange)).json().rows)).toEqual([
      'express-z',
      'z',
    ]);
  });

  it.each([
    ['a', 'a'],
    ['b', 'a'],
    ['', 'a'],
  ])('refuses [%j, %j) before it asks', async (startKey, endKey) => {
    const origin = new AllDocsOrigin(['a']);
    expect(await codeOf(() => clientOf(origin).client.request({ startKey, endKey }))).toBe('ERR_BAD_RANGE');
    expect(origin.requests).toEqual([]);
  });

  it('passes a path through to the origin', async () => {
    const { client } = clientOf({ transport: async () => answer({ doc_count: 3 }) });
    expect((await client.request('/')).json()).toEqual({ doc_count: 3 });
  });
});

describe('the wire', () => {
  it('carries keys as JSON, percent-encoded as a whole', async () => {
    const origin = new AllDocsOrigin([]);
    await clientOf(origin).client.request({ startKey: 'a"\\&b', endKey: '\u{1f600}+ %' });
    expect(origin.requests[0]?.url).toBe(
      `${ORIGIN}/_all_docs?startkey=%22a%5C%22%5C%5C%26b%22&endkey=%22%F0%9F%98%80%2B%20%25%22&limit=10000`,
    );
    await clientOf(origin).client.request(WHOLE);
    expect(origin.requests.at(-1)?.url).toBe(`${ORIGIN}/_all_docs?limit=10000`);
    expect(origin.requests[0]?.headers).toMatchObject({ accept: 'application/json', 'accept-encoding': 'gzip' });
  });

  it('hands the signal on', async () => {
    const origin = new AllDocsOrigin(['a', 'b', 'c'], 2);
    const { signal } = new AbortController();
    await clientOf(origin).client.request(WHOLE, { signal });
    expect(origin.requests.length).toBeGreaterThan(1);
    expect(origin.requests.every((request) => request.signal === signal)).toBe(true);
  });
});

describe('list', () => {
  it('gives a first part that is whole, and where the rest begins', async () => {
    const names = manyNames(12_000);
    const { client } = clientOf(new AllDocsOrigin(names));
    const first = await client.list(WHOLE);
    expect(first.rest).toBe(first.endKey);
    expect(first.rows.length).toBeLessThanOrEqual(PAGE_LIMIT);
    expect(idsOf(first.rows)).toEqual(expected(names, { startKey: null, endKey: first.endKey }));
    const second = await client.list({ startKey: first.rest as string, endKey: null });
    expect(second.rest).toBeUndefined();
    expect(idsOf([...first.rows, ...second.rows])).toEqual(expected(names, WHOLE));
    expect((first.rest as string).length).toBeLessThanOrEqual(idsOf(second.rows)[0]?.length ?? 0);
    expect(first.totalRows).toBe(new Set(names).size);
  });
});
