import { compareBytes } from '@_all_docs/cache';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { checkpointOn, records, three, tile, WatchedStore } from './_set.ts';

fc.configureGlobal({ seed: 20250601 });

const ranges = (rows: readonly { startKey: string | null; endKey: string | null; state: string }[]) =>
  rows.map(({ startKey, endKey, state }) => [startKey, endKey, state]);

describe('split', () => {
  it('completes the first part and records the rest behind all others', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    await checkpoint.recordPartitions(three());
    expect(await checkpoint.split(1, 'am', { rows: 9_999 })).toEqual({
      index: 3,
      startKey: 'am',
      endKey: 'b',
      state: 'pending',
      rows: 0,
    });
    expect(ranges(await records(checkpoint))).toEqual([
      [null, 'a', 'pending'],
      ['a', 'am', 'complete'],
      ['b', null, 'pending'],
      ['am', 'b', 'pending'],
    ]);
    expect(ranges(await checkpoint.inOrder())).toEqual([
      [null, 'a', 'pending'],
      ['a', 'am', 'complete'],
      ['am', 'b', 'pending'],
      ['b', null, 'pending'],
    ]);
    expect((await checkpoint.getProgress()).stats).toEqual({
      total: 4,
      completed: 1,
      failed: 0,
      pending: 3,
      rows: 9_999,
    });
  });

  it('is one transaction: a store that fails leaves everything as it was', async () => {
    const store = new WatchedStore();
    const checkpoint = checkpointOn(store);
    await checkpoint.recordPartitions(three());
    const before = await records(checkpoint);
    store.commits = 0;
    store.before = () => {
      throw Object.assign(new Error('disk full'), { code: 'ERR_DISK_FULL' });
    };
    expect(await codeOf(() => checkpoint.split(1, 'am', { rows: 5 }))).toBe('ERR_DISK_FULL');
    expect(store.commits).toBe(1);
    expect(await records(checkpointOn(store))).toEqual(before);
  });

  it('many at once never lose a place or open a gap', async () => {
    const store = new WatchedStore();
    const rivals = [checkpointOn(store), checkpointOn(store), checkpointOn(store)];
    await rivals[0]?.recordPartitions(three());
    await Promise.all([
      rivals[0]?.split(0, '5', { rows: 1 }),
      rivals[1]?.split(1, 'a5', { rows: 1 }),
      rivals[2]?.split(2, 'b5', { rows: 1 }),
    ]);
    const rows = await records(checkpointOn(store));
    expect(rows.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(tile(await checkpointOn(store).inOrder())).toBe(true);
  });

  it('keeps the ranges touching over any splits', async () => {
    const at = fc.string({ unit: fc.constantFrom('a', 'b', '\uff5e', '\u{1f600}'), minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(at, { maxLength: 12 }), async (places) => {
        const checkpoint = checkpointOn(new WatchedStore());
        await checkpoint.recordPartitions(three());
        for (const place of places) {
          const within = (await records(checkpoint)).find(
            ({ startKey, endKey }) =>
              (startKey === null || compareBytes(startKey, place) < 0) &&
              (endKey === null || compareBytes(place, endKey) < 0),
          );
          if (within) await checkpoint.split(within.index, place, { rows: 1 });
        }
        expect(tile(await checkpoint.inOrder())).toBe(true);
      }),
    );
  });

  it.each(['a', 'b', '0', 'z', ''])(
    'at %j, which is not inside [a, b), is refused: it would open a gap or an overlap',
    async (at) => {
      const checkpoint = checkpointOn(new WatchedStore());
      await checkpoint.recordPartitions(three());
      const before = await records(checkpoint);
      expect(await codeOf(() => checkpoint.split(1, at, { rows: 1 }))).toMatch(/^ERR_/);
      expect(await records(checkpoint)).toEqual(before);
    },
  );
});
