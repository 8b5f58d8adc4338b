import { beforeEach, describe, expect, it } from 'vitest';
import type { WirePage } from './_feed-origin.ts';
import { codeOf, type Followed, namesOf, take, withFiveChanges } from './_followed.ts';

let at: Followed;
let from: number;
beforeEach(() => {
  ({ at, from } = withFiveChanges());
});
const kinds = () => at.alarms.map(({ kind }) => kind);
const HOUR = 3_600_000;

describe('an epoch change', () => {
  it('is noticed within two polls when our cursor is only sent back', async () => {
    const follower = at.start({ from });
    const pages: number[] = [];
    for await (const page of follower) {
      pages.push(page.changes.length);
      if (pages.length === 2) at.origin.shift(-20_000);
      if (at.alarms.length > 0) break;
      expect(pages.length).toBeLessThan(10);
    }
    // Two polls before, one that raised a doubt, one that was replaced by the mend, and the first of the new epoch.
    expect(pages).toEqual([5, 0, 0, 0]);
    expect(kinds()).toEqual(['epoch']);
    expect(at.alarms[0]).toMatchObject({ cursor: from + 10, originSeq: from + 10 - 20_000, highest: from + 10 });
  });

  it('is noticed after a restart', async () => {
    await at.once({ from });
    at.origin.shift(-20_000);
    await at.once();
    expect(kinds()).toEqual(['epoch']);
  });

  it('is mended by going on from the sequence that mend gives, never from 0', async () => {
    await at.once({ from });
    at.origin.shift(-20_000);
    const { head } = at.origin;
    await at.once();
    expect(await at.stored()).toMatchObject({ cursor: head, highest: head, epoch: 1 });
    at.origin.publish('f');
    expect(namesOf(await at.once())).toEqual(['f']);
    expect(at.mended).toHaveLength(1);
  });

  it('is noticed by a follower that is far behind and still gets rows', async () => {
    const goBack = at.origin.snapshot();
    at.origin.publish('f');
    await take(at.start({ from, limit: 1 }), 2);
    goBack();
    await at.once({ limit: 1 });
    expect(kinds()).toContain('epoch');
  });

  it.each<[string, (page: WirePage, since: number) => WirePage]>([
    ['a last_seq below since', (page, since) => ({ ...page, results: [], last_seq: since - 5 })],
    ['rows at since', (page, since) => ({ ...page, results: [{ seq: since, id: 'x' }, ...page.results] })],
    [
      'rows below since',
      (page, since) => ({ ...page, results: [{ seq: 1, id: 'x' }, ...page.results], last_seq: since }),
    ],
  ])('is told by %s, at once', async (_, bend) => {
    let left = 1;
    at.origin.bend = (page, { since }) => (left-- > 0 ? bend(page, since) : page);
    const pages = await at.once({ from });
    expect(kinds()).toEqual(['epoch']);
    expect(namesOf(pages)).toEqual([]);
  });

  it('is not told by a root that lags behind the rows, nor by one low answer', async () => {
    at.origin.updateSeq = () => at.origin.head - 4;
    at.clock.during = () => at.origin.publish('busy');
    await take(at.start({ from }), 40);
    let low = 1;
    at.origin.updateSeq = () => at.origin.head - (low-- > 0 ? 4 : 0);
    at.clock.during = () => undefined;
    await take(at.start(), 10);
    expect(at.alarms).toEqual([]);
  });
});

describe('an echo', () => {
  it('is told by the second empty page though the origin has more', async () => {
    at.origin.bend = (page, { since }) => (at.alarms.length > 0 ? page : { results: [], last_seq: since });
    const pages = await at.once({ from });
    expect(kinds()).toEqual(['echo']);
    expect(pages.map(({ changes }) => changes.length)).toEqual([0, 0]);
    expect(at.origin.asked['/_changes']).toBe(3);
  });

  it('is not told by one empty page', async () => {
    let left = 1;
    at.origin.bend = (page, { since }) => (left-- > 0 ? { results: [], last_seq: since } : page);
    expect(namesOf(await at.once({ from }))).toHaveLength(5);
    expect(at.alarms).toEqual([]);
  });
});

describe('a gap', () => {
  it('is told by a last_seq past the last row, far from the head', async () => {
    let left = 1;
    at.origin.bend = (page) => (left-- > 0 ? { ...page, results: page.results.slice(0, 1) } : page);
    await at.once({ from, limit: 3 });
    expect(kinds()).toEqual(['gap']);
  });

  it('is told by an empty page that goes on, far from the head', async () => {
    at.origin.bend = (page) => (at.alarms.length > 0 ? page : { ...page, results: [] });
    await at.once({ from, limit: 3 });
    expect(kinds()).toEqual(['gap']);
  });

  it('is told by a row with a name and no sequence', async () => {
    at.origin.bend = (page) =>
      at.alarms.length > 0 ? page : { ...page, results: [{ seq: null, id: 'x' }, ...page.results] };
    await at.once({ from });
    expect(kinds()).toEqual(['gap']);
  });

  it('at the head needs no mend: what was left out is asked for again', async () => {
    let left = 1;
    at.origin.bend = (page) => (left-- > 0 ? { ...page, results: page.results.slice(0, 1) } : page);
    expect(namesOf(await at.once({ from }))).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(at.alarms).toEqual([]);
  });

  it('is not told by an origin whose last_seq at the head is past its last row', async () => {
    at.origin.bend = (page, { since, limit }) =>
      page.results.length < limit ? { ...page, last_seq: Math.max(since, at.origin.head) } : page;
    at.origin.publish('e');
    at.origin.docs.delete('e');
    const pages = await at.once({ from });
    expect(namesOf(pages)).toEqual(['a', 'b', 'c', 'd']);
    expect(pages.at(-1)).toMatchObject({ atHead: true, lastSeq: at.origin.head });
    expect(at.alarms).toEqual([]);
  });
});

describe('a standstill', () => {
  it('is told by rows that bring us nowhere', async () => {
    at.origin.bend = (page) => (at.alarms.length > 0 ? page : { results: [null as never], last_seq: from });
    await at.once({ from });
    expect(kinds()).toEqual(['standstill']);
  });

  it('is told by a feed in which nothing happens for too long, again and again', async () => {
    await take(at.start({ from, intervalMs: HOUR / 6, quietMs: HOUR }), 21);
    expect(kinds()).toEqual(['standstill', 'standstill', 'standstill']);
  });

  it('is told after a restart, and not for a time in which nobody looked', async () => {
    await at.once({ from });
    at.clock.at += 2 * HOUR;
    at.origin.publish('f');
    await at.once();
    expect(at.alarms).toEqual([]);
    at.clock.at += 2 * HOUR;
    await at.once();
    expect(kinds()).toEqual(['standstill']);
  });

  it('is none where a registry may be quiet', async () => {
    await take(at.start({ from, intervalMs: HOUR, quietMs: Number.POSITIVE_INFINITY }), 50);
    expect(at.alarms).toEqual([]);
  });
});

describe('an alarm', () => {
  beforeEach(async () => {
    await at.once({ from });
    at.origin.shift(-20_000);
  });

  it('is kept until it is mended: a process that died in between is followed by one that mends', async () => {
    const dies = at.start({ once: true, mend: async () => Promise.reject(new Error('killed')) });
    await expect(take(dies)).rejects.toThrow('killed');
    expect((await at.stored())?.alarm).toMatchObject({ kind: 'epoch' });
    const follower = at.start({ once: true });
    await take(follower);
    expect(at.mended).toHaveLength(1);
    expect(at.alarms).toHaveLength(1);
    expect((await at.stored())?.alarm).toBeUndefined();
    expect(follower.state()).toMatchObject({
      alarms: [{ kind: 'epoch', mendedTo: at.origin.head }],
      counts: { mended: 1 },
    });
  });

  it("is mended again when the origin's trouble stopped it", async () => {
    let left = 2;
    const follower = at.start({
      once: true,
      mend: async () => {
        if (left-- > 0) throw Object.assign(new Error('half a page'), { code: 'ERR_BAD_PAGE' });
        return at.origin.head;
      },
    });
    await take(follower);
    expect(follower.state().counts).toMatchObject({ mended: 1, failures: { ERR_BAD_PAGE: 2 } });
  });

  it('stands where nobody can mend it, is raised once, and a run that should end does', async () => {
    for (let runs = 0; runs < 3; runs++) await at.once({ mend: undefined });
    expect(kinds()).toEqual(['epoch']);
    const follower = at.start({ mend: undefined });
    await take(follower, 3);
    expect(follower.state().alarms).toMatchObject([{ kind: 'epoch' }]);
    expect(follower.state().alarms[0]).not.toHaveProperty('mendedAt');
    expect((await at.stored())?.cursor).toBe(from + 10);
    await at.once();
    expect(at.mended).toHaveLength(1);
  });

  it('that no mend ends is mended more and more seldom; a run that should end gives up', async () => {
    at.origin.bend = (page, { since }) => ({ ...page, results: [{ seq: since, id: 'x' }, ...page.results] });
    expect(await codeOf(at.once({ intervalMs: 1000 }))).toBe('ERR_NOT_MENDED');
    expect(at.mended).toHaveLength(5);
    expect(at.clock.sleeps.slice(-4)).toEqual([750, 1500, 3000, 6000]);
  });

  it('refuses to go on from what is no sequence', async () => {
    expect(await codeOf(at.once({ mend: async () => undefined as never }))).toBe('ERR_BAD_SEQUENCE');
  });
});
