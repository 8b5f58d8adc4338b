import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin, FaultRule } from './index.ts';
import { startFakeOrigin } from './index.ts';

interface Row {
  seq: number | string;
  id: string | null;
  changes: { rev: string | null }[];
}
interface Feed {
  results: Row[];
  last_seq: number | string;
}

let fake: FakeOrigin;
let honest: Feed;
beforeAll(async () => {
  fake = await startFakeOrigin({ packages: 300, seed: 9 });
  honest = await feed();
});
afterAll(() => fake.close());

const feed = async (query = 'limit=20') =>
  JSON.parse((await ask(fake.url, `/_changes?${query}`, { headers: { 'accept-encoding': 'gzip' } })).text) as Feed;

async function bent(rule: FaultRule, query?: string): Promise<Feed> {
  fake.setFaults([rule]);
  fake.resetStats();
  const page = await feed(query);
  fake.setFaults([]);
  return page;
}

const without = (page: Feed, id: string | null) => ({ ...page, results: page.results.filter((row) => row.id !== id) });

describe('faults of _changes', () => {
  it('seq-strings: the same numbers, as text', async () => {
    const { results, last_seq } = await bent({ fault: 'seq-strings' });
    expect(results.map(({ seq }) => seq)).toEqual(honest.results.map(({ seq }) => String(seq)));
    expect(last_seq).toBe(String(honest.last_seq));
  });

  it.each([
    ['null-ids', null],
    ['design-rows', '_design/app'],
  ] as const)('%s: one row more, none lost', async (fault, id) => {
    const page = await bent({ fault });
    expect(page.results.filter((row) => row.id === id)).toHaveLength(1);
    expect(without(page, id)).toEqual(honest);
  });

  it('null-revs: one revision is null', async () => {
    const { results } = await bent({ fault: 'null-revs' });
    expect(results.filter(({ changes }) => changes[0]?.rev === null)).toHaveLength(1);
    expect(results.map(({ id }) => id)).toEqual(honest.results.map(({ id }) => id));
  });

  it('feed-duplicate: one row twice, none lost', async () => {
    const { results } = await bent({ fault: 'feed-duplicate' });
    expect(results).toHaveLength(21);
    expect([...new Set(results.map(({ id }) => id))]).toEqual(honest.results.map(({ id }) => id));
  });

  it('feed-unordered: two rows change places, last_seq stays', async () => {
    const page = await bent({ fault: 'feed-unordered' });
    const moved = page.results.filter(({ seq }, i) => seq !== honest.results[i]?.seq);
    expect(moved).toHaveLength(2);
    expect([...page.results].sort((a, b) => Number(a.seq) - Number(b.seq))).toEqual(honest.results);
    expect(page.last_seq).toBe(honest.last_seq);
  });

  it('last-seq-low: below what was asked for', async () => {
    const since = Number(honest.last_seq);
    expect((await bent({ fault: 'last-seq-low' }, `since=${since}`)).last_seq).toBeLessThan(since);
  });

  it('feed-frozen: nothing new, while the root goes on', async () => {
    const since = Number(honest.last_seq);
    expect(await bent({ fault: 'feed-frozen' }, `since=${since}`)).toEqual({ results: [], last_seq: since });
    expect(fake.updateSeq).toBeGreaterThan(since);
    expect(await bent({ fault: 'feed-frozen' }, `since=${fake.updateSeq}`)).toEqual({
      results: [],
      last_seq: fake.updateSeq,
    });
    expect(fake.stats().faults).toEqual({});
  });

  it('feed-gap: rows are left out, and last_seq says nothing of it', async () => {
    expect(await bent({ fault: 'feed-gap' })).toEqual({ ...honest, results: honest.results.slice(0, 10) });
    expect(await bent({ fault: 'feed-gap', rows: 0 })).toEqual({ ...honest, results: [] });
  });

  it('feed-short: fewer rows, and last_seq says so', async () => {
    const results = honest.results.slice(0, 3);
    expect(await bent({ fault: 'feed-short', rows: 3 })).toEqual({ results, last_seq: results[2]?.seq });
  });

  it('leave other pages alone, and what cannot have them', async () => {
    fake.setFaults([{ fault: 'feed-frozen' }, { fault: 'seq-strings' }]);
    fake.resetStats();
    expect((await ask(fake.url, '/_all_docs')).status).toBe(200);
    expect((await ask(fake.url, '/_changes?since=now')).status).toBe(400);
    expect(fake.stats().faults).toEqual({});
    fake.setFaults([]);
    expect(() => fake.setFaults([{ fault: 'feed-frozen', kinds: ['packument'] }])).toThrow(/only changes/);
  });
});
