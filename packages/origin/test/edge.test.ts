import type { Change } from '@_all_docs/origin';
import { EdgeOrigin } from '@_all_docs/origin/edge';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { ORIGIN, replica } from './_replica.ts';

const letter = fc.constantFrom('a', 'b', 'B', '-', '@', '/', '"', 'é', '日', '\u{1f4e6}', '.');
const name = fc.string({ unit: letter, minLength: 1, maxLength: 3 });
const rev = fc.nat(9).map((n) => `${n + 1}-0000${n}`);
const SEQ = 500;
const revsOf = fc.array(fc.tuple(name, rev), { maxLength: 60 }).map((pairs) => new Map(pairs));
const changesOf = fc
  .array(fc.record({ name, rev: fc.option(rev, { nil: undefined }), deleted: fc.boolean() }), { maxLength: 20 })
  .map((changes) => changes.map((change, i): Change => ({ ...change, seq: SEQ - 3 + i })));

function both() {
  const it = replica();
  const { storage, log: changes } = it;
  const edge = new EdgeOrigin({ storage, ordered: storage.ordered, origin: ORIGIN, changes });
  const askEdge = async (target: string) => {
    const answer = await edge.answer(target, undefined);
    const text = answer?.body instanceof Uint8Array ? Buffer.from(answer.body).toString() : '';
    return { status: answer?.status, json: text === '' ? undefined : JSON.parse(text) };
  };
  return { ...it, edge, askEdge };
}

describe('an origin at the edge', () => {
  test('gives the rows that a replica on Node gives, for any listing, changes and query', async () => {
    const query = fc.record({
      start: fc.option(name, { nil: undefined }),
      end: fc.option(name, { nil: undefined }),
      key: fc.option(name, { nil: undefined, freq: 8 }),
      inclusive: fc.boolean(),
      limit: fc.option(fc.nat(40), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        revsOf,
        fc.array(name, { maxLength: 5 }),
        changesOf,
        fc.array(query, { minLength: 1, maxLength: 4 }),
        async (revs, cuts, changes, queries) => {
          const { list, log, ask, askEdge } = both();
          await list(revs, cuts, SEQ);
          for (const change of changes) log.add(change);
          for (const { start, end, key, inclusive, limit } of queries) {
            const fields = { startkey: start, endkey: end, key };
            const said = Object.entries(fields).flatMap(([field, value]) =>
              value === undefined ? [] : [`${field}=${encodeURIComponent(JSON.stringify(value))}`],
            );
            if (limit !== undefined) said.push(`limit=${limit}`);
            const target = `/_all_docs?${[...said, `inclusive_end=${inclusive}`].join('&')}`;
            expect((await askEdge(target)).json.rows).toEqual((await ask(target)).json.rows);
          }
        },
      ),
      { seed: 11, numRuns: 200 },
    );
  }, 30_000);

  test('gives the feed that a replica on Node gives, page by page from any place', async () => {
    await fc.assert(
      fc.asyncProperty(
        revsOf,
        fc.array(name, { maxLength: 5 }),
        changesOf,
        fc.nat(700),
        fc.integer({ min: 1, max: 30 }),
        async (revs, cuts, changes, from, limit) => {
          const { list, log, ask, askEdge } = both();
          await list(revs, cuts, SEQ);
          for (const change of changes) log.add(change);
          for (let since = from, pages = 0; pages < 80; pages++) {
            const target = `/_changes?since=${since}&limit=${limit}`;
            const { json } = await askEdge(target);
            expect(json).toEqual((await ask(target)).json);
            if (json.results.length === 0) return;
            since = json.last_seq;
          }
        },
      ),
      { seed: 12, numRuns: 200 },
    );
  }, 30_000);

  test('says what npm says of itself, below /registry too', async () => {
    const { list, askEdge, edge } = both();
    expect(await askEdge('/')).toMatchObject({ status: 503, json: { code: 'ERR_NO_LISTING' } });
    await list(new Map([['a', '1-a']]), [], SEQ);
    for (const path of ['/', '/registry', '/registry/'])
      expect(await askEdge(path)).toMatchObject({ status: 200, json: { doc_count: 1, update_seq: SEQ } });
    expect((await askEdge('/registry/_all_docs')).json.total_rows).toBe(1);
    expect(await edge.answer('/npm/express', undefined)).toBeUndefined();
  });

  test.each(['limit=10001', 'startkey=a', 'skip=1', 'keys=[]', 'include_docs=true'])(
    '/_all_docs?%s is a 400, as npm has it',
    async (query) => {
      const { list, askEdge } = both();
      await list(new Map([['a', '1-a']]), [], SEQ);
      expect((await askEdge(`/_all_docs?${query}`)).status).toBe(400);
    },
  );

  test('a listing whose rows are gone, or another listing’s, is a 503', async () => {
    const { list, askEdge, storage } = both();
    await list(new Map([['a', '1-a']]), [], SEQ);
    const [key] = await collect(storage.list('v1:partition:'));
    const entry = await storage.read(key as string);
    await storage.delete(key as string);
    expect((await askEdge('/_all_docs')).json.code).toBe('ERR_LISTING_LOST');
    if (entry)
      await storage.write(key as string, { ...entry, metadata: { ...entry.metadata, digest: 'sha256-other' } });
    expect((await askEdge('/_all_docs')).json.code).toBe('ERR_LISTING_RENEWED');
  });
});
