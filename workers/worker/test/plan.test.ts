import { EVERYTHING, planBootstrap, type Selection, teachPivots } from '@_all_docs/worker';
import { describe, expect, it } from 'vitest';
import { envOf, json } from './_env.ts';

const NAMES = 300_000;

/** The root twice, the pages, and one more for each partition. */
const requestsFor = (partitions: number) => 2 + partitions + Math.ceil(NAMES / 9_999);

describe('planBootstrap', () => {
  it('counts the requests of a listing as it would be cut: where the selection says, else as learned or set, else at first pivots', async () => {
    const env = envOf(() => json({ doc_count: NAMES, update_seq: 1 }));
    const planned = async (selection: Selection) =>
      (await planBootstrap({ selection, depth: 'names' }, env)).requests?.list;
    const firstPivots = ['a', 'k', 't'];
    expect(await planned(EVERYTHING)).toBe(requestsFor(1));
    expect(await planned({ ...EVERYTHING, firstPivots })).toBe(requestsFor(4));
    await teachPivots(env.storage.ordered, env.origin, ['b', 'c'], { now: 1 });
    expect(await planned({ ...EVERYTHING, firstPivots })).toBe(requestsFor(3));
    expect(await planned({ ...EVERYTHING, firstPivots, pivots: ['m'] })).toBe(requestsFor(2));
  });
});
