import { MemoryOrderedStore } from '@_all_docs/cache';
import type { Transport } from '@_all_docs/http';
import { expect, it } from 'vitest';
import { Feed } from '../src/feed.ts';
import { RecentChanges } from '../src/recent-changes.ts';

const MINUTE = 60_000;
type Row = { seq: number; id: string; rev?: string; deleted?: boolean };

/** A feed over memory, with an origin that has these rows. */
function scene() {
  const it = { rows: [] as Row[], seq: 100, now: 1_000_000, asked: [] as string[], isDown: false };
  const transport: Transport = async ({ url }) => {
    it.asked.push(url);
    const json = (value: unknown, status = 200) => ({
      status,
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode(JSON.stringify(value)),
      encoding: 'identity' as const,
    });
    if (it.isDown) return json({}, 500);
    const { pathname, searchParams } = new URL(url);
    if (pathname === '/') return json({ doc_count: 5, update_seq: it.seq });
    const since = Number(searchParams.get('since'));
    const results = it.rows
      .filter(({ seq }) => seq > since)
      .slice(0, Number(searchParams.get('limit')))
      .map(({ seq, id, rev = '1-a', deleted }) => ({ seq, id, changes: [{ rev }], deleted }));
    return json({ results, last_seq: results.at(-1)?.seq ?? since });
  };
  const ordered = new MemoryOrderedStore();
  const clock = { now: () => it.now };
  const feed = new Feed({ origin: 'https://replicate.example.test', transport, clock, ordered });
  const say = (...names: string[]) => {
    for (const id of names) it.rows.push({ seq: ++it.seq, id });
  };
  return Object.assign(it, { feed, say, recent: new RecentChanges((seq) => feed.since(seq), clock.now) });
}

it('begins at the head, then takes in each page once, its names as news', async () => {
  const { feed, say } = scene();
  expect(await feed.step()).toEqual({ more: false });
  expect(await feed.state()).toMatchObject({ cursor: 100, originSeq: 100, epoch: 0 });
  say('a', 'b');
  expect(await feed.step()).toEqual({ more: false, news: [102, 1_000_000, ['a', 'b']] });
  expect(await feed.step()).toEqual({ more: false });
  expect(await feed.since(-1)).toMatchObject({ floor: 0, rows: [[102, 1_000_000, ['a', 'b']]], oldest: 102 });
  expect(await feed.since(102)).toMatchObject({ rows: [], oldest: 102 });
});

it('goes on page by page while there is more', async () => {
  const { feed, say } = scene();
  await feed.step();
  say(...Array.from({ length: 450 }, (_, i) => `n${i}`));
  expect([(await feed.step()).more, (await feed.step()).more, (await feed.step()).more]).toEqual([true, true, false]);
  expect((await feed.state())?.cursor).toBe(550);
});

it('forgets news when their documents are settled and no copy lags behind any more, not before', async () => {
  const it = scene();
  const { feed, say } = it;
  await feed.step();
  say('a');
  await feed.step();
  it.now += 60 * MINUTE;
  expect((await feed.since(-1)).rows).toHaveLength(1);
  expect(await feed.unsettled(15 * MINUTE, 10)).toHaveLength(1);
  await feed.settled(101);
  expect(await feed.unsettled(15 * MINUTE, 10)).toEqual([]);
  expect((await feed.since(-1)).rows).toHaveLength(1);
  it.now += 2 * MINUTE + 1;
  expect(await feed.since(-1)).toMatchObject({ rows: [], oldest: Number.MAX_SAFE_INTEGER });
});

it('trouble is noted and thrown, and leaves the cursor where it was', async () => {
  const it = scene();
  await it.feed.step();
  it.isDown = true;
  await expect(it.feed.step()).rejects.toThrow('500');
  expect(await it.feed.state()).toMatchObject({ cursor: 100, error: expect.stringContaining('500') });
  it.isDown = false;
  await it.feed.step();
  expect((await it.feed.state())?.error).toBeUndefined();
});

it('an origin that is behind once is a copy that lags; twice, its sequences began anew, and nothing stored before is trusted', async () => {
  const it = scene();
  const { feed, recent } = it;
  await feed.step();
  it.seq = 40;
  await feed.step();
  expect(await feed.state()).toMatchObject({ cursor: 100, epoch: 0 });
  await feed.step();
  expect(await feed.state()).toMatchObject({ cursor: 40, highest: 40, epoch: 1 });
  expect(await recent.isRemoved('anything', it.now - 1)).toBe(true);
  it.now += 1;
  expect(await recent.isRemoved('anything', it.now)).toBe(false);
  it.say('a');
  expect((await feed.step()).news?.[2]).toEqual(['a']);
});

it('an isolate knows of news within three seconds, and asks no more often', async () => {
  const it = scene();
  const { feed, recent, say } = it;
  await feed.step();
  expect(await recent.isRemoved('a', it.now - 1)).toBe(false);
  say('a');
  await feed.step();
  expect(await recent.isRemoved('a', it.now - 1)).toBe(false);
  it.now += 3_000;
  expect(await recent.isRemoved('a', it.now - 3_001)).toBe(true);
  expect(await recent.isRemoved('b', it.now - 3_001)).toBe(false);
  // What was stored after the row is as it should be.
  expect(await recent.isRemoved('a', it.now - 2_999)).toBe(false);
});

it('an isolate that cannot ask goes by what it knows, and says so', async () => {
  const said: string[] = [];
  let now = 0;
  const recent = new RecentChanges(
    async () => {
      throw new Error('down');
    },
    () => now,
    { error: (message) => void said.push(message) },
  );
  expect(await recent.isRemoved('a', 0)).toBe(false);
  now = 1_000;
  expect(await recent.isRemoved('a', 0)).toBe(false);
  expect(said).toHaveLength(1);
});
