import { compareBytes } from '@_all_docs/cache';
import type { Change } from '@_all_docs/origin';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inOrder, replica } from './_replica.ts';

const letter = fc.constantFrom('a', 'b', 'B', '-', '@', '/', '"', '\\', 'é', '日', '\u{1f4e6}', '\ue000', '.', '_');
const name = fc.string({ unit: letter, minLength: 1, maxLength: 4 });
const rev = fc.nat(9).map((n) => `${n + 1}-${'0'.repeat(4)}${n}`);
const SEQ = 500;
const revsOf = fc.array(fc.tuple(name, rev), { maxLength: 60 }).map((pairs) => new Map(pairs));
const changesOf = fc
  .array(fc.record({ name, rev: fc.option(rev, { nil: undefined }), deleted: fc.boolean() }), { maxLength: 30 })
  // The first few are known to the listing already.
  .map((changes) => changes.map((change, i): Change => ({ ...change, seq: SEQ - 3 + i })));

interface Row {
  id: string;
  rev: string | null;
}

/** What the merged list must be, made the simplest way there is. */
function merged(revs: ReadonlyMap<string, string>, changes: readonly Change[]): Row[] {
  const all = new Map<string, string | null>(revs);
  const latest = new Map(changes.map((change) => [change.name, change]));
  for (const { name, rev, deleted, seq } of latest.values()) {
    if (seq <= SEQ) continue;
    if (deleted) all.delete(name);
    else all.set(name, rev ?? revs.get(name) ?? null);
  }
  return inOrder(all.keys()).map((id) => ({ id, rev: all.get(id) as string | null }));
}

describe('the merged list', () => {
  test('every page equals that of a simple list, for any partitions, changes and query', async () => {
    const query = fc.record({
      start: fc.option(name, { nil: undefined }),
      end: fc.option(name, { nil: undefined }),
      key: fc.option(name, { nil: undefined, freq: 8 }),
      inclusive: fc.boolean(),
      limit: fc.option(fc.nat(40), { nil: undefined }),
      docid: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        revsOf,
        fc.array(name, { maxLength: 5 }),
        changesOf,
        fc.array(query, { minLength: 1, maxLength: 5 }),
        async (revs, cuts, changes, queries) => {
          const { list, log, ask } = replica();
          await list(revs, cuts, SEQ);
          const applied: Change[] = [];
          for (const [i, { start, end, key, inclusive, limit, docid }] of queries.entries()) {
            // The log grows between the pages.
            for (const change of changes.slice(
              (i * changes.length) / queries.length,
              ((i + 1) * changes.length) / queries.length,
            )) {
              log.add(change);
              applied.push(change);
            }
            const rows = merged(revs, applied);
            const text = new URLSearchParams();
            if (start !== undefined)
              text.set(
                docid ? 'startkey_docid' : 'startkey',
                docid && !start.startsWith('"') ? start : JSON.stringify(start),
              );
            if (end !== undefined) text.set('endkey', JSON.stringify(end));
            if (key !== undefined) text.set('key', JSON.stringify(key));
            if (!inclusive) text.set('inclusive_end', 'false');
            if (limit !== undefined) text.set('limit', String(limit));
            const [from, to, withEnd] = key === undefined ? [start, end, inclusive] : [key, key, true];
            const before = rows.filter(({ id }) => from !== undefined && compareBytes(id, from) < 0).length;
            const wanted = rows.slice(before).filter(({ id }) => {
              const order = to === undefined ? -1 : compareBytes(id, to);
              return order < 0 || (order === 0 && withEnd);
            });
            const { status, json } = await ask(`/_all_docs?${text}`);
            expect(status).toBe(200);
            expect(json).toEqual({
              total_rows: rows.length,
              offset: before,
              rows: wanted.slice(0, limit ?? 1_000).map(({ id, rev }) => ({ id, key: id, value: { rev } })),
            });
            expect((await ask('/')).json.doc_count).toBe(rows.length);
          }
        },
      ),
      { seed: 11, numRuns: 400 },
    );
  }, 60_000);
});

interface Follower {
  since: number;
  names: Map<string, string | null>;
  /** How often it was sent back. */
  rewound: number;
}

/** Reads pages as any follower does, and gives whether the last one brought something. */
async function step(ask: ReturnType<typeof replica>['ask'], follower: Follower, limit: number): Promise<boolean> {
  const { status, json } = await ask(`/_changes?since=${follower.since}&limit=${limit}`);
  expect(status).toBe(200);
  const isRewound = json.results.length > 0 && json.results[0].seq <= follower.since;
  let before = isRewound ? 0 : follower.since;
  for (const { seq, id, changes, deleted } of json.results) {
    expect(seq).toBeGreaterThan(before);
    before = seq;
    if (deleted) follower.names.delete(id);
    else follower.names.set(id, changes[0].rev);
  }
  expect(json.last_seq).toBeGreaterThanOrEqual(before);
  if (isRewound) follower.rewound += 1;
  follower.since = json.last_seq;
  return json.results.length > 0;
}

describe('the feed', () => {
  test('a follower from 0 ends with the full set of names, however much is followed on the way', async () => {
    await fc.assert(
      fc.asyncProperty(
        revsOf,
        fc.array(name, { maxLength: 5 }),
        changesOf,
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(3, 300, 100_000),
        async (revs, cuts, changes, limit, room) => {
          const { list, log, ask } = replica();
          const seq = Math.min(SEQ, room);
          await list(revs, cuts, seq);
          const follower: Follower = { since: 0, names: new Map(), rewound: 0 };
          const left = changes
            .filter((change) => change.seq > SEQ)
            .map((change) => ({ ...change, rev: change.rev ?? '1-0' }));
          while (await step(ask, follower, limit)) {
            for (const change of left.splice(0, 2)) log.add(change);
          }
          for (const change of left) log.add(change);
          while (await step(ask, follower, limit));
          const rows = merged(revs, [...log.rows.values()]);
          expect([...follower.names].sort((a, b) => compareBytes(a[0], b[0]))).toEqual(
            rows.map(({ id, rev }) => [id, rev]),
          );
          expect(follower.rewound).toBe(0);
          const { json } = await ask('/');
          expect(follower.since).toBe(json.update_seq);
        },
      ),
      { seed: 12, numRuns: 300 },
    );
  }, 60_000);

  test('a follower that is under way when the replica is listed anew still sees every name', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(revsOf, fc.array(name, { maxLength: 4 })), { minLength: 2, maxLength: 4 }),
        fc.array(fc.nat(6), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: 7 }),
        async (listings, steps, limit) => {
          const { list, ask } = replica();
          const follower: Follower = { since: 0, names: new Map(), rewound: 0 };
          for (const [i, [revs, cuts]] of listings.entries()) {
            await list(revs, cuts, SEQ + 100 * i);
            for (let n = 0; n < (steps[i] as number); n++) await step(ask, follower, limit);
          }
          while (await step(ask, follower, limit));
          const [revs] = listings.at(-1) as [Map<string, string>, string[]];
          for (const [id, rev] of revs) expect(follower.names.get(id)).toBe(rev);
        },
      ),
      { seed: 13, numRuns: 300 },
    );
  }, 60_000);

  test('listed anew without any difference, cursors stay good', async () => {
    const { list, ask } = replica();
    const revs = new Map(['a', 'b', 'c', 'd'].map((id) => [id, '1-x']));
    await list(revs, ['c'], SEQ);
    const first = await ask('/_changes?since=0&limit=2');
    await list(revs, ['c'], SEQ);
    const second = await ask(`/_changes?since=${first.json.last_seq}&limit=10`);
    expect(second.json.results.map(({ id }: { id: string }) => id)).toEqual(['c', 'd']);
  });
});
