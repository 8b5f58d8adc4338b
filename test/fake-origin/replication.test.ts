import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './client.ts';
import type { FakeOrigin } from './index.ts';
import { NASTY_NAMES, startFakeOrigin } from './index.ts';

interface Row {
  id: string;
  key: string;
  value: { rev: string };
}
interface Page {
  total_rows: number;
  offset: number;
  rows: Row[];
}
interface Changes {
  results: { seq: number; id: string; changes: { rev: string }[]; deleted?: boolean }[];
  last_seq: number;
}

let fake: FakeOrigin;
beforeAll(async () => {
  fake = await startFakeOrigin({ packages: 12_000, seed: 3 });
});
afterAll(() => fake.close());

const q = (key: string) => encodeURIComponent(JSON.stringify(key));
const get = async <T>(path: string) => JSON.parse((await ask(fake.url, path)).text) as T;
const page = (query: string) => get<Page>(`/registry/_all_docs?${query}`);
const changes = (query: string) => get<Changes>(`/_changes?${query}`);
const status = async (path: string) => (await ask(fake.url, path)).status;

describe('the names', () => {
  it('are as many as asked, distinct, in byte order, nasty ones among them', () => {
    const names = [...fake.names()];
    expect(names.length).toBe(12_000);
    expect(new Set(names).size).toBe(12_000);
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(names).toEqual(sorted);
    for (const name of NASTY_NAMES) expect(fake.has(name), name).toBe(true);
    const scoped = names.filter((name) => name.startsWith('@')).length / names.length;
    expect(scoped).toBeGreaterThan(0.2);
    expect(scoped).toBeLessThan(0.28);
  });

  it('follow from the seed', async () => {
    const [same, other] = await Promise.all([3, 4].map((seed) => startFakeOrigin({ packages: 12_000, seed })));
    expect([...(same as FakeOrigin).names()]).toEqual([...fake.names()]);
    expect([...(other as FakeOrigin).names()]).not.toEqual([...fake.names()]);
    await Promise.all([same?.close(), other?.close()]);
  });
});

describe('the root', () => {
  it('tells count and sequence, with and without the database', async () => {
    const root = await get('/');
    expect(root).toEqual({
      db_name: 'registry',
      engine: 'npm-replicate',
      doc_count: 12_000,
      update_seq: fake.updateSeq,
    });
    expect(await get('/registry/')).toMatchObject({ db_name: 'registry', doc_count: 12_000 });
  });
});

describe('_all_docs', () => {
  it('gives 1,000 rows by default, 10,000 at most, 400 above', async () => {
    expect((await page('')).rows.length).toBe(1000);
    const full = await page('limit=10000');
    expect(full).toMatchObject({ total_rows: 12_000, offset: 0 });
    expect(full.rows.length).toBe(10_000);
    expect(await status('/_all_docs?limit=10001')).toBe(400);
    expect((await page('limit=0')).rows).toEqual([]);
  });

  it('reads JSON keys; the start is inclusive, the end too unless told', async () => {
    const names = [...fake.names()];
    const [a, b] = [names[4000] as string, names[4100] as string];
    const both = await page(`startkey=${q(a)}&endkey=${q(b)}`);
    expect(both.offset).toBe(4000);
    expect(both.rows.map((row) => row.id)).toEqual(names.slice(4000, 4101));
    const open = await page(`startkey=${q(a)}&endkey=${q(b)}&inclusive_end=false`);
    expect(open.rows.map((row) => row.key)).toEqual(names.slice(4000, 4100));
    expect((await page(`startkey_docid=${q(a)}&limit=1`)).rows[0]?.id).toBe(a);
    expect((await page(`key=${q(a)}`)).rows).toEqual([{ id: a, key: a, value: { rev: fake.rev(a) } }]);
    expect((await page(`startkey=${q(`${a}\0`)}&limit=1`)).rows[0]?.id).toBe(names[4001]);
  });

  it('walks every name through pages', async () => {
    const seen: string[] = [];
    for (let start = ''; ; start = `${seen.at(-1)}\0`) {
      const { rows } = await page(`startkey=${q(start)}&limit=5000`);
      seen.push(...rows.map((row) => row.id));
      if (rows.length < 5000) break;
    }
    expect(seen).toEqual([...fake.names()]);
  });

  it.each([
    'skip=1',
    'include_docs=true',
    'update_seq=true',
    'startkey=abc',
    'startkey=1',
    'endkey=%22',
    'limit=x',
    'limit=-1',
    'descending=true',
  ])('refuses %s', async (query) => expect(await status(`/registry/_all_docs?${query}`)).toBe(400));

  it('is compressed when asked', async () => {
    const zipped = await ask(fake.url, '/_all_docs', { headers: { 'accept-encoding': 'gzip' } });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect((JSON.parse(zipped.text) as Page).rows.length).toBe(1000);
    const plain = await ask(fake.url, '/_all_docs', { headers: { 'accept-encoding': 'gzip;q=0' } });
    expect(plain.headers['content-encoding']).toBeUndefined();
  });
});

describe('_changes', () => {
  it('gives one row for each document, by number, in pages', async () => {
    const ids = new Set<string>();
    let last = 0;
    for (;;) {
      const { results, last_seq } = await changes(`since=${last}&limit=10000`);
      for (const row of results) {
        expect(row.seq).toBeGreaterThan(last);
        last = row.seq;
        ids.add(row.id);
      }
      expect(last_seq).toBe(last);
      if (results.length < 10_000) break;
    }
    expect(ids).toEqual(new Set(fake.names()));
    expect(last).toBe(fake.updateSeq);
    expect((await changes('')).results.length).toBe(1000);
  });

  it('sends back a number past the head', async () => {
    const past = fake.updateSeq + 5000;
    expect(await changes(`since=${past}`)).toEqual({ results: [], last_seq: past });
  });

  it.each([
    'feed=longpoll',
    'feed=normal',
    'timeout=1',
    'heartbeat=1',
    'since=now',
    'include_docs=true',
    'limit=10001',
    'since=-1',
  ])('refuses %s', async (query) => expect(await status(`/_changes?${query}`)).toBe(400));
});

describe('change', () => {
  it('moves a published document to the head', async () => {
    const name = [...fake.names()][77] as string;
    const [before, rev] = [fake.updateSeq, fake.rev(name)];
    const { rev: next } = fake.publish(name);
    expect(next).not.toBe(rev);
    expect(await changes(`since=${before}`)).toEqual({
      results: [{ seq: fake.updateSeq, id: name, changes: [{ rev: next }] }],
      last_seq: fake.updateSeq,
    });
    const all = await changes('since=0&limit=10000');
    const more = await changes(`since=${all.last_seq}&limit=10000`);
    expect([...all.results, ...more.results].filter((row) => row.id === name).length).toBe(1);
  });

  it('lists a new name in its place', async () => {
    fake.publish('new-name-of-this-test');
    expect(fake.count).toBe(12_001);
    const { rows } = await page(`key=${q('new-name-of-this-test')}`);
    expect(rows.length).toBe(1);
    const names = [...fake.names()];
    const place = names.indexOf('new-name-of-this-test');
    expect((await page(`startkey=${q(names[place - 1] as string)}&limit=3`)).rows.map((row) => row.id)).toEqual(
      names.slice(place - 1, place + 2),
    );
    expect((await page(`startkey=${q(names[place + 1] as string)}&limit=1`)).offset).toBe(place + 1);
  });

  it.each([
    ['deleted', false, true],
    ['unpublished', false, undefined],
    ['placeholder', true, undefined],
    ['404', true, undefined],
  ] as const)('removes as %s: listed %s, row deleted %s', async (how, listed, deleted) => {
    const name = [...fake.names()].filter((n) => /^[b-y][a-z-]+$/.test(n))[how.length * 9] as string;
    const before = fake.updateSeq;
    fake.remove(name, how);
    expect(fake.has(name)).toBe(listed);
    expect((await page(`key=${q(name)}`)).rows.length).toBe(listed ? 1 : 0);
    const row = (await changes(`since=${before}`)).results[0];
    expect(row?.id).toBe(name);
    expect(row?.deleted).toBe(deleted);
    fake.publish(name);
    expect(fake.has(name)).toBe(true);
  });

  it('can begin a new epoch', async () => {
    const head = fake.updateSeq;
    fake.shiftSequence(-20_000);
    expect(fake.updateSeq).toBe(head - 20_000);
    expect((await changes(`since=${head}`)).last_seq).toBe(head);
    fake.shiftSequence(20_000);
  });
});
