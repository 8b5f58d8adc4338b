import { compareBytes, createPartitionKey } from '@_all_docs/cache';
import { heldRanges, type KeyRange, Partition } from '@_all_docs/partition';
import { bootstrap, EVERYTHING, learnedPivots, type RangeSelection, teachPivots } from '@_all_docs/worker';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envOf, json } from './_env.ts';

fc.configureGlobal({ seed: 20250601 });

/** An origin of names that may change between passes; `broken` ranges answer nonsense. */
function world(initial: Iterable<string>) {
  const state = { names: sorted(initial), broken: (_start: string | null): boolean => false, pages: 0 };
  const env = envOf(({ url }) => {
    const { pathname, searchParams } = new URL(url);
    if (pathname === '/') return json({ doc_count: state.names.length, update_seq: 1 });
    if (pathname !== '/_all_docs') return json({ error: 'not_found' }, 404);
    const key = (name: string) => (searchParams.has(name) ? JSON.parse(searchParams.get(name) as string) : null);
    const [start, end] = [key('startkey'), key('endkey')];
    state.pages += 1;
    if (state.broken(start)) return json('nonsense');
    const within = state.names.filter(
      (id) => (start === null || compareBytes(id, start) >= 0) && (end === null || compareBytes(id, end) <= 0),
    );
    const rows = within.slice(0, 10_000).map((id) => ({ id, key: id, value: { rev: '1-a' } }));
    return json({ total_rows: state.names.length, offset: 0, rows });
  });
  const pass = async (
    selection: Omit<RangeSelection, 'kind'> = EVERYTHING,
    depth: 'names' | 'packuments' = 'names',
  ) => {
    env.clock.time += 1000;
    return bootstrap({ selection: { ...selection, kind: 'range' }, depth }, env);
  };
  const held = async (): Promise<KeyRange[]> => heldRanges(env);
  return { state, env, pass, held };
}

const sorted = (names: Iterable<string>) => [...new Set(names)].sort(compareBytes);
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `pkg-${String(i).padStart(6, '0')}`);
const cut = (pivots: readonly string[]): KeyRange[] =>
  Partition.fromPivots(pivots).map(({ startKey, endKey }) => ({ startKey, endKey }));

describe('after a pass', () => {
  it('exactly its partitions are held, whatever was before, and the next one is cut by what it taught', async () => {
    const letters = fc.uniqueArray(fc.constantFrom(...'abcdefgh'), { maxLength: 6 }).map((list) => list.sort());
    await fc.assert(
      fc.asyncProperty(fc.array(letters, { minLength: 1, maxLength: 4 }), async (sets) => {
        const { pass, held, env } = world(['a1', 'b1', 'c1', 'c2', 'f']);
        for (const pivots of sets) {
          const result = await pass({ startKey: null, endKey: null, pivots });
          expect(result).toMatchObject({ status: 'done', names: 5, coverage: { holds: true } });
          expect(await held()).toEqual(cut(pivots));
        }
        // So few rows are one partition the next time.
        expect(await learnedPivots(env.storage.ordered, env.origin)).toEqual([]);
        expect(await pass()).toMatchObject({ status: 'done', names: 5, partitions: 1 });
        expect(await held()).toEqual(cut([]));
      }),
      { numRuns: 30 },
    );
  });

  it('boundaries found by splitting stay; those of parts that became small go', async () => {
    const { state, pass, held, env } = world(numbered(25_000));
    expect(await pass()).toMatchObject({ names: 25_000, partitions: 3 });
    const boundaries = await learnedPivots(env.storage.ordered, env.origin);
    expect(boundaries).toHaveLength(2);
    expect(await held()).toEqual(cut(boundaries));
    expect(await pass()).toMatchObject({ names: 25_000, partitions: 3 });
    expect(await learnedPivots(env.storage.ordered, env.origin)).toEqual(boundaries);

    state.names = numbered(25_000).filter((_, i) => i >= 13_000);
    expect(await pass()).toMatchObject({ names: 12_000, partitions: 3 });
    expect(await learnedPivots(env.storage.ordered, env.origin)).toEqual([]);
    expect(await pass()).toMatchObject({ names: 12_000, partitions: 2 });
  });

  it('boundaries that somebody set stay while there is half a page on their two sides', async () => {
    const { state, pass, held, env } = world(numbered(25_000));
    const boundaries = ['pkg-009', 'pkg-018'];
    await teachPivots(env.storage.ordered, env.origin, boundaries, { now: env.clock.now() });
    expect(await pass()).toMatchObject({ names: 25_000, partitions: 3 });
    expect(await held()).toEqual(cut(boundaries));
    expect(await pass()).toMatchObject({ partitions: 3 });

    state.names = numbered(25_000).filter((_, i) => i >= 18_000);
    expect(await pass()).toMatchObject({ names: 7_000, partitions: 3 });
    expect(await learnedPivots(env.storage.ordered, env.origin)).toEqual(['pkg-018']);
    expect(await pass()).toMatchObject({ names: 7_000, partitions: 2 });
    expect(await held()).toEqual(cut(['pkg-018']));
  });

  it('first pivots cut the first pass only', async () => {
    const { pass, held } = world(['a', 'n']);
    expect(await pass({ startKey: null, endKey: null, firstPivots: ['m'] })).toMatchObject({ partitions: 2 });
    expect(await held()).toEqual(cut(['m']));
    expect(await pass({ startKey: null, endKey: null, firstPivots: ['m'] })).toMatchObject({ partitions: 1 });
  });

  it('a part of the names leaves alone what is wider; a whole one takes the parts away', async () => {
    const { pass, held } = world(['@a/x', '@t/y', 'b', 'k']);
    const scope = { startKey: '@t/', endKey: '@t0' };
    const whole = { startKey: null, endKey: null, pivots: ['@', 'c'] };
    await pass(whole);
    await pass(scope);
    expect(await held()).toEqual([...cut(['@', 'c']).slice(0, 2), scope, ...cut(['@', 'c']).slice(2)]);
    await pass({ ...scope, pivots: ['@t/m'] });
    expect(await held()).toContainEqual({ startKey: '@t/', endKey: '@t/m' });
    expect(await held()).not.toContainEqual(scope);
    await pass(whole);
    expect(await held()).toEqual(cut(['@', 'c']));
  });

  it('of another origin nothing is touched', async () => {
    const { pass, env } = world(['a']);
    const other = createPartitionKey(null, 'q', 'https://another.example');
    await env.storage.set(other, {});
    await pass();
    expect(await env.storage.has(other)).toBe(true);
  });
});

describe('nothing is deleted', () => {
  it('after a pass that is not proved', async () => {
    const { state, pass, held } = world(['a', 'n']);
    await pass({ startKey: null, endKey: null, pivots: ['b', 'c'] });
    state.broken = (start) => start === 'm';
    expect(await pass({ startKey: null, endKey: null, pivots: ['m'] })).toMatchObject({ status: 'incomplete' });
    expect(await held()).toEqual(expect.arrayContaining(cut(['b', 'c'])));
  });

  it('that a run which is not finished has listed, or may be listing', async () => {
    const { env, pass, held } = world(['a', 'n']);
    // One run is interrupted while it fetches; its listing is what it goes on with.
    const stop = new AbortController();
    const fetched = bootstrap(
      {
        selection: { ...EVERYTHING, pivots: ['h'] },
        depth: 'packuments',
        signal: stop.signal,
      },
      env,
      ({ type }) => type === 'coverage' && stop.abort(),
    );
    expect(await fetched).toMatchObject({ status: 'interrupted' });
    await pass({ startKey: null, endKey: null, pivots: ['c'] });
    expect(await held()).toEqual(expect.arrayContaining([...cut(['h']), ...cut(['c'])]));

    expect(await pass({ startKey: null, endKey: null }, 'packuments')).toMatchObject({ resumed: true, status: 'done' });
    // The later pass's set is there still, though the earlier run ended after it.
    expect(await held()).toEqual(expect.arrayContaining(cut(['c'])));
    await pass({ startKey: null, endKey: null, pivots: ['c'] });
    expect(await held()).toEqual(cut(['c']));
  });
});

describe('an interrupted listing', () => {
  it('goes on as it was cut, whatever was learned meanwhile', async () => {
    const { env, state, pass, held } = world(['a', 'k', 'n', 'z']);
    const stop = new AbortController();
    state.broken = (start) => {
      if (start === 'p') stop.abort();
      return false;
    };
    const whole = { ...EVERYTHING, firstPivots: ['h', 'm', 'p'] };
    const first = await bootstrap({ selection: whole, depth: 'names', concurrency: 1, signal: stop.signal }, env);
    expect(first.status).toBe('interrupted');
    const before = state.pages;
    state.broken = () => false;
    await pass(whole, 'packuments');
    expect(await learnedPivots(env.storage.ordered, env.origin)).toEqual([]);
    const asked = state.pages;
    expect(await pass(whole)).toMatchObject({ resumed: true, partitions: 4, coverage: { holds: true } });
    expect(state.pages - asked).toBeLessThan(before);
    expect(await held()).toEqual(expect.arrayContaining(cut(['h', 'm', 'p'])));
  });
});
