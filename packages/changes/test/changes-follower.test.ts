import { HttpError } from '@_all_docs/http';
import { beforeEach, describe, expect, it } from 'vitest';
import { json } from './_feed-origin.ts';
import { codeOf, type Followed, namesOf, take, withFiveChanges } from './_followed.ts';

let at: Followed;
let from: number;
beforeEach(() => {
  ({ at, from } = withFiveChanges());
});

describe('a follower', () => {
  it('gives every change since the sequence that was read before a listing, then ends at the head', async () => {
    const pages = await at.once({ from });
    expect(namesOf(pages)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(pages.at(-1)).toMatchObject({
      since: from,
      lastSeq: at.origin.head,
      atHead: true,
      originSeq: at.origin.head,
    });
    expect(at.clock.sleeps).toEqual([]);
  });

  it('goes on from its cursor in a new process, whatever `from` says', async () => {
    await at.once({ from });
    at.origin.publish('f');
    expect(namesOf(await at.once({ from: 0 }))).toEqual(['f']);
  });

  it('has a cursor of its own by name', async () => {
    await at.once({ from });
    expect(namesOf(await at.once({ from, name: 'other/\u{1f600}' }))).toHaveLength(5);
    expect((await at.stored())?.cursor).toBe(at.origin.head);
  });

  it('asks at once after a full page, and waits the interval after the last one', async () => {
    const pages = await take(at.start({ from, limit: 2, intervalMs: 777 }), 4);
    expect(pages.map(({ changes, atHead }) => [changes.length, atHead])).toEqual([
      [2, false],
      [2, false],
      [1, true],
      [0, true],
    ]);
    expect(at.clock.sleeps).toEqual([777]);
  });

  it('asks at once after a short page that is not the last', async () => {
    at.origin.bend = (page) => {
      const results = page.results.slice(0, 2);
      return { results, last_seq: results.at(-1)?.seq ?? page.last_seq };
    };
    expect(namesOf(await at.once({ from }))).toHaveLength(5);
    expect(at.clock.sleeps).toEqual([]);
    expect(at.alarms).toEqual([]);
  });

  it('gives a page for each poll, one without changes when nothing is new', async () => {
    const follower = at.start({ from });
    const pages = await take(follower, 4);
    expect(pages.map(({ changes }) => changes.length)).toEqual([5, 0, 0, 0]);
    expect(follower.state().idlePolls).toBe(3);
  });

  it('ends quietly when the signal fires, its cursor behind what was done', async () => {
    const stop = new AbortController();
    at.clock.during = () => stop.abort();
    const pages = await take(at.start({ from, signal: stop.signal }));
    expect(pages).toHaveLength(1);
    expect((await at.stored())?.cursor).toBe(at.origin.head);
  });

  it('asks two requests for a poll that brings nothing, and one for most that bring something', async () => {
    at.clock.during = () => at.origin.publish('busy');
    await take(at.start({ from, intervalMs: 1000 }), 30);
    expect(at.origin.asked['/_changes']).toBe(30);
    expect(at.origin.asked['/']).toBeLessThan(5);
  });

  it.each([
    [{ from: -1 }, 'ERR_BAD_SEQUENCE'],
    [{ from: 1.5 }, 'ERR_BAD_SEQUENCE'],
    [{ limit: 0 }, 'ERR_BAD_LIMIT'],
    [{ limit: 10_001 }, 'ERR_BAD_LIMIT'],
  ])('refuses %j', async (options, code) => {
    expect(await codeOf((async () => at.start(options))())).toBe(code);
  });
});

describe('effects first, cursor after', () => {
  it('a loop that breaks sees the page again', async () => {
    await take(at.start({ from, limit: 2 }), 2);
    expect((await at.stored())?.cursor).toBe(from + 4);
    expect(namesOf(await at.once({ limit: 2 }))).toEqual(['c', 'd', 'e']);
  });

  it('a loop that throws sees the page again', async () => {
    const work = (async () => {
      for await (const _ of at.start({ from })) throw new Error('the effect failed');
    })();
    await expect(work).rejects.toThrow('the effect failed');
    expect((await at.stored())?.cursor).toBe(from);
    expect(namesOf(await at.once({ from }))).toHaveLength(5);
  });

  it('the cursor has not moved while the effects are made', async () => {
    for await (const page of at.start({ from, once: true, limit: 2 })) {
      expect((await at.stored())?.cursor).toBe(page.since);
      // Known after a crash too: an origin that goes back behind these effects is found out.
      expect((await at.stored())?.highest).toBeGreaterThanOrEqual(page.lastSeq);
    }
    expect((await at.stored())?.cursor).toBe(at.origin.head);
  });

  it('a second follower on one cursor stops, and undoes nothing', async () => {
    const first = at.start({ from, limit: 2 })[Symbol.asyncIterator]();
    await first.next();
    await at.once({ from });
    expect(await codeOf(first.next())).toBe('ERR_CURSOR_MOVED');
    expect((await at.stored())?.cursor).toBe(at.origin.head);
  });

  it('a cursor that is none is an error, not a new beginning', async () => {
    const key = `v1:cursor:${encodeURIComponent('https://registry.example.test')}:${Buffer.from('follow').toString('hex')}`;
    await at.ordered.commit([{ key, value: '{"cursor":"x"}' }]);
    expect(await codeOf(at.once({ from }))).toBe('ERR_BAD_CURSOR');
  });

  it("the store's trouble ends the loop", async () => {
    at.ordered.commit = async () => Promise.reject(new Error('disk full'));
    await expect(at.once({ from })).rejects.toThrow('disk full');
  });
});

describe('trouble of the origin', () => {
  const error = (code: 'ERR_FETCH_FAILED', more = {}) => new HttpError(code, `it said ${code}`, more);

  it.each([
    ['a page cut in the middle', () => json('{"results":[{"seq":1000002,"id":"a"},{"se'), 'ERR_BAD_PAGE'],
    ['a 500', () => json('{}', 500), 'ERR_FETCH_FAILED'],
    ['a block page', () => ({ ...json('<html>'), headers: { 'content-type': 'text/html' } }), 'ERR_BLOCKED'],
    ['a 404', () => json('{"error":"Not found"}', 404), 'ERR_NOT_REGISTRY'],
    ['a broken connection', () => Promise.reject(error('ERR_FETCH_FAILED')), 'ERR_FETCH_FAILED'],
  ])('%s is waited out with growing pauses, counted, and nothing is lost', async (_, trouble, code) => {
    let left = 4;
    const follower = at.start({
      from,
      once: true,
      transport: async (request) =>
        request.url.includes('_changes') && left-- > 0 ? trouble() : at.origin.transport(request),
    });
    expect(namesOf(await take(follower))).toHaveLength(5);
    expect(at.clock.sleeps).toEqual([750, 1500, 3000, 6000]);
    expect(follower.state()).toMatchObject({
      failuresInRow: 0,
      lastFailure: { code },
      counts: { failures: { [code]: 4 } },
    });
  });

  it('a root document that cannot be read holds no change up', async () => {
    let left = 2;
    at.origin.cut = (body, path) => (path === '/' && left-- > 0 ? '{' : body);
    const follower = at.start({ from });
    const pages = await take(follower, 3);
    expect(pages.map(({ changes, atHead }) => [changes.length, atHead])).toEqual([
      [5, false],
      [0, false],
      [0, true],
    ]);
    expect(follower.state().counts.failures).toEqual({ ERR_BAD_PAGE: 2 });
  });

  it.each(['ERR_BUDGET_EXHAUSTED', 'ERR_RATE_LIMITED'] as const)('%s ends a run that should end', async (code) => {
    const transport = async () => Promise.reject(new HttpError(code, 'no more'));
    expect(await codeOf(at.once({ from, transport }))).toBe(code);
  });

  it('ERR_RATE_LIMITED is waited out by a follower, for as long as it was told', async () => {
    let left = 1;
    const follower = at.start({
      from,
      transport: async (request) =>
        left-- > 0 ? { ...json('', 429), headers: { 'retry-after': '90' } } : at.origin.transport(request),
    });
    expect(namesOf(await take(follower, 1))).toHaveLength(5);
  });

  it('a run that should end gives up when nothing but trouble comes', async () => {
    const transport = async () => json('', 500);
    expect(await codeOf(at.once({ from, transport }))).toBe('ERR_FETCH_FAILED');
    expect(at.clock.sleeps).toHaveLength(4);
  });

  it("an error that is nobody's answer ends the loop", async () => {
    const transport = async () => Promise.reject(new TypeError('a mistake in our own code'));
    await expect(at.once({ from, transport })).rejects.toThrow(TypeError);
  });
});

describe('state', () => {
  it('says where it is, how far behind, and what came', async () => {
    at.origin.bend = (page) => ({ ...page, results: [...page.results, { seq: at.origin.head, id: null }] });
    const follower = at.start({ from, limit: 2 });
    expect(follower.state()).toMatchObject({
      cursor: undefined,
      originSeq: undefined,
      lagChanges: undefined,
      alarms: [],
    });
    for await (const page of follower) {
      if (page.since > from) break;
      expect(follower.state()).toMatchObject({ cursor: from, originSeq: from + 10, lagChanges: 10 });
    }
    const state = follower.state();
    expect(state).toMatchObject({ docCount: 5, epoch: 0, lastAdvanceAt: at.clock.at, lastPageAt: at.clock.at });
    expect(state.counts.dropped.noId).toBe(2);
    expect(JSON.parse(JSON.stringify(state))).toMatchObject({ cursor: state.cursor });
  });
});
