import { Cache, MemoryStorageDriver } from '@_all_docs/cache';
import { PartitionCheckpoint } from '@_all_docs/checkpoint';
import { Partition } from '@_all_docs/partition';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../../test/contract/_bytes.ts';
import { checkpointOn, DriverBeside, many, records, states, three, WatchedStore } from './_set.ts';

describe('the snippet', () => {
  it('runs as written', async () => {
    const cache = new Cache({ driver: new MemoryStorageDriver() });
    const partitions = three();
    const checkpoint = new PartitionCheckpoint(cache, 'set-1');
    await checkpoint.recordPartitions(partitions);
    await checkpoint.markComplete(0, { rows: 100 });
    expect(await checkpoint.getProgress()).toEqual({
      percentComplete: 33.33,
      stats: { completed: 1, total: 3, failed: 0, pending: 2, rows: 100 },
    });
    for await (const key of cache.list()) expect.unreachable(`progress is no entry: ${key}`);
  });
});

describe('progress', () => {
  it('is in per cent with two decimals', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    expect((await checkpoint.getProgress()).percentComplete).toBe(0);
    await checkpoint.recordPartitions(three());
    const seen = [];
    for (const index of [0, 1, 2]) {
      await checkpoint.markComplete(index);
      seen.push((await checkpoint.getProgress()).percentComplete);
    }
    expect(seen).toEqual([33.33, 66.67, 100]);
  });

  it('counts failed ones, and retries them', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    await checkpoint.recordPartitions(three());
    await checkpoint.markFailed(0, new Error('origin down'));
    await checkpoint.markFailed(1, 'also');
    await checkpoint.markComplete(1, { rows: 7 });
    expect((await checkpoint.getProgress()).stats).toEqual({ total: 3, completed: 1, failed: 1, pending: 1, rows: 7 });
    expect((await records(checkpoint))[0]).toMatchObject({ error: 'origin down', startKey: null, endKey: 'a' });
    await checkpoint.retryFailed();
    expect(await states(checkpoint)).toEqual(['pending', 'complete', 'pending']);
    expect((await records(checkpoint))[0]).not.toHaveProperty('error');
  });

  it('a late failure does not undo what is complete, and completing twice is completing once', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    await checkpoint.recordPartitions(three());
    await checkpoint.markComplete(0, { rows: 5 });
    await checkpoint.markComplete(0, { rows: 5 });
    await checkpoint.markFailed(0, new Error('late'));
    expect((await checkpoint.getProgress()).stats).toMatchObject({ completed: 1, rows: 5 });
  });

  it('is in the store and not in the object', async () => {
    const store = new WatchedStore();
    const first = checkpointOn(store);
    await first.recordPartitions(three());
    await first.markComplete(2, { rows: 1 });
    const second = checkpointOn(store);
    expect(await states(second)).toEqual(['pending', 'pending', 'complete']);
    await second.markComplete(0);
    expect(await states(first)).toEqual(['complete', 'pending', 'complete']);
  });

  it('a mark is one commit of one row, however many partitions there are', async () => {
    const store = new WatchedStore();
    const checkpoint = checkpointOn(store);
    await checkpoint.recordPartitions(many(500));
    store.commits = store.mostChanges = 0;
    await checkpoint.markComplete(250, { rows: 3 });
    expect([store.commits, store.mostChanges]).toEqual([1, 1]);
  });

  it('two marks at once both stay', async () => {
    const store = new WatchedStore();
    const [a, b] = [checkpointOn(store), checkpointOn(store)];
    await a.recordPartitions(many(20));
    await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).markComplete(i, { rows: 1 })));
    expect((await a.getProgress()).stats).toMatchObject({ completed: 20, rows: 20 });
  });
});

describe('pivots that change', () => {
  it('renumber nothing, and going back finds the old progress', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    await checkpoint.recordPartitions(three());
    await checkpoint.markComplete(1, { rows: 10 });
    await checkpoint.recordPartitions(Partition.fromPivots(['0', 'a', 'b', 'c']));
    expect((await checkpoint.getProgress()).stats).toMatchObject({ total: 5, completed: 0 });
    await checkpoint.markComplete(0, { rows: 1 });
    await checkpoint.recordPartitions(three());
    expect(await states(checkpoint)).toEqual(['pending', 'complete', 'pending']);
    expect((await checkpoint.getProgress()).stats.rows).toBe(10);
  });

  it('the same list again keeps its progress, splits included', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    await checkpoint.recordPartitions(three());
    await checkpoint.split(2, 'm', { rows: 4 });
    await checkpoint.recordPartitions(three());
    expect((await checkpoint.inOrder()).map(({ startKey, endKey, state }) => [startKey, endKey, state])).toEqual([
      [null, 'a', 'pending'],
      ['a', 'b', 'pending'],
      ['b', 'm', 'complete'],
      ['m', null, 'pending'],
    ]);
  });

  it('sets do not know each other, whatever their names', async () => {
    const store = new WatchedStore();
    const ids = ['a', 'ab', 'a:b', 'meta', 'current', '__proto__'];
    for (const [i, id] of ids.entries()) {
      const checkpoint = checkpointOn(store, id);
      await checkpoint.recordPartitions(three());
      await checkpoint.markComplete(0, { rows: i });
    }
    await checkpointOn(store, 'a').clear();
    for (const [i, id] of ids.entries()) {
      expect((await checkpointOn(store, id).getProgress()).stats).toMatchObject(
        i === 0 ? { total: 0 } : { total: 3, rows: i },
      );
    }
  });
});

describe('refusals', () => {
  it('ERR_NO_INDEX for a driver without an ordered store', async () => {
    const cache = new Cache({ driver: new DriverBeside(undefined) });
    expect(await codeOf(() => new PartitionCheckpoint(cache, 'set-1'))).toBe('ERR_NO_INDEX');
  });

  it.each([3, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e9])('ERR_BAD_INDEX for %d of three', async (index) => {
    const checkpoint = checkpointOn(new WatchedStore());
    await checkpoint.recordPartitions(three());
    for (const work of [
      () => checkpoint.markComplete(index),
      () => checkpoint.markFailed(index, 'x'),
      () => checkpoint.split(index, 'aa', { rows: 0 }),
    ]) {
      expect(await codeOf(work)).toBe('ERR_BAD_INDEX');
    }
    expect(await states(checkpoint)).toEqual(['pending', 'pending', 'pending']);
  });

  it('ERR_NO_CHECKPOINT before anything is recorded, and after all is forgotten', async () => {
    const checkpoint = checkpointOn(new WatchedStore());
    expect(await codeOf(() => checkpoint.markComplete(0))).toBe('ERR_NO_CHECKPOINT');
    expect(await codeOf(() => checkpoint.claim('x', 0, 1))).toBe('ERR_NO_CHECKPOINT');
    await checkpoint.recordPartitions(three());
    await checkpoint.clear();
    expect(await codeOf(() => checkpoint.markComplete(0))).toBe('ERR_NO_CHECKPOINT');
    expect((await checkpoint.getProgress()).stats.total).toBe(0);
  });
});
