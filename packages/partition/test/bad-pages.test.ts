import type { Transport } from '@_all_docs/http';
import type { KeyRange } from '@_all_docs/partition';
import { describe, expect, it } from 'vitest';
import { AllDocsOrigin, answer, clientOf, codeOf, idsOf, ORIGIN, questionOf, row } from './_all-docs-origin.ts';

const WHOLE: KeyRange = { startKey: null, endKey: null };
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('rows out of place are dropped and counted', () => {
  it("the seam and the row at the range's own end are overlap", async () => {
    const origin = new AllDocsOrigin(NAMES, 2);
    const listing = await clientOf(origin).client.list({ startKey: 'b', endKey: 'e' });
    expect(idsOf(listing.rows)).toEqual(['b', 'c', 'd']);
    expect(listing.dropped).toMatchObject({ outside: 0, repeated: 0, foreign: 0 });
    expect(listing.dropped.overlap).toBeGreaterThan(0);
  });

  it('rows outside the range, repeated rows, design documents and null ids', async () => {
    const origin = new AllDocsOrigin(NAMES);
    origin.tamper = (rows) => [
      row('a'),
      ...rows,
      ...rows.slice(-1),
      row('z'),
      row('_design/app'),
      { id: null } as never,
      null as never,
      row(''),
    ];
    const listing = await clientOf(origin).client.list({ startKey: 'b', endKey: 'e' });
    expect(idsOf(listing.rows)).toEqual(['b', 'c', 'd']);
    expect(listing.dropped).toMatchObject({ outside: 2, foreign: 4 });
  });

  it('an origin that repeats every row gives each name once', async () => {
    const origin = new AllDocsOrigin(NAMES, 3);
    origin.tamper = (rows) => rows.flatMap((each) => [each, each]);
    const listing = await clientOf(origin).client.list(WHOLE);
    expect(idsOf(listing.rows)).toEqual(NAMES);
    expect(listing.dropped.repeated).toBeGreaterThan(0);
  });

  it('a name that is gone between two pages loses no other', async () => {
    const origin = new AllDocsOrigin(NAMES, 3);
    origin.tamper = (rows, _, request) => {
      if (request === 1) origin.rows.splice(2, 1);
      return rows;
    };
    const { rows } = await clientOf(origin).client.list(WHOLE);
    expect(idsOf(rows).filter((id) => id !== 'c')).toEqual(['a', 'b', 'd', 'e', 'f']);
  });
});

describe('pages that cannot be trusted', () => {
  it.each([
    ['out of order', (rows: ReturnType<typeof row>[]) => rows.toReversed()],
    [
      'two rows swapped',
      ([first, second, ...rest]: ReturnType<typeof row>[]) => [second, first, ...rest] as ReturnType<typeof row>[],
    ],
    ['the row at the end first', (rows: ReturnType<typeof row>[]) => [...rows.slice(-1), ...rows.slice(0, -1)]],
    ['cut JSON', () => answer('{"total_rows":6,"rows":[{"id":"a"')],
    ['an empty body', () => answer('')],
    ['no rows', () => answer({ total_rows: 6 })],
    ['no total', () => answer({ rows: [] })],
    ['null', () => answer('null')],
    ['a list', () => answer([])],
    ['rows that are no list', () => answer({ total_rows: 1, rows: {} })],
  ])('%s: asked for again, then ERR_BAD_PAGE', async (_, tamper) => {
    const range = { startKey: 'a', endKey: 'f' };
    const once = new AllDocsOrigin(NAMES);
    once.tamper = (rows, __, request) => (request === 1 ? tamper(rows) : rows);
    expect(idsOf((await clientOf(once).client.list(range)).rows)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const always = new AllDocsOrigin(NAMES);
    always.tamper = tamper;
    expect(await codeOf(() => clientOf(always).client.list(range))).toBe('ERR_BAD_PAGE');
    expect(always.requests).toHaveLength(4);
  });

  it('damaged gzip is asked for again, then ERR_ENCODING', async () => {
    const damaged = () => ({ ...answer('{}'), encoding: 'gzip' as const });
    const once = new AllDocsOrigin(NAMES);
    once.tamper = (rows, _, request) => (request === 1 ? damaged() : rows);
    expect(idsOf((await clientOf(once).client.list(WHOLE)).rows)).toEqual(NAMES);
    const always = new AllDocsOrigin(NAMES);
    always.tamper = damaged;
    expect(await codeOf(() => clientOf(always).client.list(WHOLE))).toBe('ERR_ENCODING');
  });

  it.each([400, 401, 404])('a %d is ERR_NOT_REGISTRY at once, with what was said', async (status) => {
    const origin = new AllDocsOrigin(NAMES);
    origin.tamper = () => answer({ error: 'bad_request' }, status);
    const { client } = clientOf(origin);
    await expect(client.list(WHOLE)).rejects.toMatchObject({
      code: 'ERR_NOT_REGISTRY',
      status,
      message: expect.stringContaining('bad_request'),
    });
    expect(origin.requests).toHaveLength(1);
  });
});

describe('an origin that ignores the range', () => {
  /** Answers every question as if it were another one. */
  function deaf(change: (range: KeyRange) => KeyRange, cap: number): { transport: Transport } {
    const { transport } = new AllDocsOrigin(NAMES, cap);
    const part = (label: string, key: string | null) =>
      key === null ? '' : `${label}=${encodeURIComponent(JSON.stringify(key))}&`;
    return {
      transport: (request) => {
        const { startKey, endKey } = change(questionOf(request));
        return transport({
          url: `${ORIGIN}/_all_docs?${part('startkey', startKey)}${part('endkey', endKey)}limit=10000`,
        });
      },
    };
  }

  it.each([
    ['in the middle', { startKey: 'c', endKey: 'e' }],
    ['at the end', { startKey: 'd', endKey: null }],
    ['where there is nothing', { startKey: 'x', endKey: 'z' }],
    ['from the second page on', WHOLE],
  ])('startkey, %s: ERR_BAD_PAGE and not "complete"', async (_, range) => {
    const origin = deaf(({ endKey }) => ({ startKey: null, endKey }), 3);
    expect(await codeOf(() => clientOf(origin).client.request(range))).toBe('ERR_BAD_PAGE');
  });

  it('endkey: what lies in the range is whole, or it is an error', async () => {
    for (const cap of [2, 3, 10]) {
      const origin = deaf(({ startKey }) => ({ startKey, endKey: null }), cap);
      const outcome = await clientOf(origin)
        .client.request({ startKey: 'b', endKey: 'e' })
        .then(
          (result) => idsOf(result.json().rows),
          (error) => error.code,
        );
      expect([['b', 'c', 'd'], 'ERR_BAD_PAGE']).toContainEqual(outcome);
    }
  });
});
