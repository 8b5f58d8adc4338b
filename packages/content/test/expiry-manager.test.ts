import { MemoryOrderedStore } from '@_all_docs/cache';
import { BlobIndex, ExpiryManager, type ExpiryOptions } from '@_all_docs/content';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../../test/contract/_bytes.ts';
import { memoryStore, sourceOf } from './_store.ts';

const HOUR = 3_600_000;
const key = (name: string) => `v1:version:npm:${name}`;

function make(options: Partial<ExpiryOptions> = {}) {
  const { store, clock } = memoryStore();
  const index = new BlobIndex({ ordered: new MemoryOrderedStore(), store, clock });
  const expiry = new ExpiryManager({ index, clock, graceMs: 0, ...options });
  /** Links a blob of so many bytes, its own for each name. */
  const add = async (name: string, bytes = 100, more: { pinned?: boolean } = {}) => {
    clock.time += 1;
    const blob = await store.put(sourceOf(name.padEnd(bytes, '.')));
    await index.link(key(name), {}, blob, more);
    return blob;
  };
  const held = async (...names: string[]) => {
    const rows = await Promise.all(names.map(async (name) => ((await index.get(key(name))) ? name : '')));
    return rows.filter((name) => name !== '');
  };
  return { index, store, clock, expiry, add, held };
}

describe('time', () => {
  it('drops what nobody asked for during the TTL, and its blob', async () => {
    const { expiry, clock, add, held, store } = make({ ttlMs: 24 * HOUR, graceMs: HOUR });
    const old = await add('old');
    await add('used');
    clock.time += 23 * HOUR;
    expiry.touch(key('used'));
    await add('new');
    expect((await expiry.run()).expired).toBe(0);
    clock.time += 2 * HOUR;
    expect(await expiry.run()).toEqual({ expired: 1, evicted: 0, bytes: 200, swept: 0 });
    expect(await held('old', 'used', 'new')).toEqual(['used', 'new']);
    clock.time += HOUR;
    expect((await expiry.run()).swept).toBe(1);
    expect(await store.has(old.hash)).toBe(false);
  });

  it('does not drop what is pinned', async () => {
    const { expiry, clock, add, held } = make({ ttlMs: HOUR });
    await add('pinned', 100, { pinned: true });
    clock.time += 1_000 * HOUR;
    expect((await expiry.run()).expired).toBe(0);
    expect(await held('pinned')).toEqual(['pinned']);
  });

  it('stands still for ever unless it is given', async () => {
    const { expiry, clock, add, held } = make();
    await add('old', 1e6);
    clock.time += 100_000 * HOUR;
    expect(await expiry.run()).toMatchObject({ expired: 0, evicted: 0 });
    expect(await held('old')).toEqual(['old']);
  });
});

describe.each(['s3fifo', 'lru'] as const)('the size limit, by %s', (eviction) => {
  it('is kept, and nothing goes while there is room', async () => {
    const { expiry, add, held } = make({ maxBytes: 1_000, eviction });
    const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
    for (const name of names) await add(name);
    expect(await expiry.run()).toMatchObject({ evicted: 0, bytes: 1_000 });
    await add('one-more');
    const { bytes, evicted } = await expiry.run();
    expect(bytes).toBeLessThanOrEqual(1_000);
    expect(evicted).toBe(2);
    expect(await held(...names, 'one-more')).toEqual([...names.slice(2), 'one-more']);
  });

  it('does not count or touch what is pinned', async () => {
    const { expiry, add, held } = make({ maxBytes: 250, eviction });
    await add('pinned', 5_000, { pinned: true });
    await add('a');
    await add('b');
    expect(await expiry.run()).toMatchObject({ evicted: 0, bytes: 200 });
    await add('c');
    await expiry.run();
    expect(await held('pinned', 'a', 'b', 'c')).toEqual(['pinned', 'b', 'c']);
  });

  it('frees nothing by a row whose blob another row refers to', async () => {
    const { expiry, index, add, clock, store } = make({ maxBytes: 250, eviction });
    const shared = await add('a');
    clock.time += 1;
    await index.link(key('also-a'), {}, shared, { pinned: true });
    await add('b');
    await add('c');
    await add('d');
    await expiry.run();
    expect(await store.has(shared.hash)).toBe(true);
  });

  it('holds over many rounds of new things', async () => {
    const { expiry, add } = make({ maxBytes: 5_000, eviction });
    const next = randomFrom(6);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 10; i++) await add(`r${round}-${i}`, 50 + Math.floor(next() * 200));
      expect((await expiry.run()).bytes).toBeLessThanOrEqual(5_000);
    }
  });
});

describe('S3-FIFO', () => {
  it('keeps what is asked for again and again while a long list of others passes once', async () => {
    const { expiry, add, held } = make({ maxBytes: 2_000 });
    const hot = ['react', 'lodash', 'semver'];
    for (const name of hot) await add(name);
    for (let i = 0; i < 200; i++) {
      await add(`once-${i}`);
      for (const name of hot) expiry.touch(key(name));
      if (i % 5 === 0) await expiry.run();
    }
    expect(await held(...hot)).toEqual(hot);
  });

  it('where LRU would have lost it between two uses', async () => {
    const survives = async (eviction: 's3fifo' | 'lru') => {
      const { expiry, add, held } = make({ maxBytes: 2_000, eviction });
      await add('weekly');
      for (let i = 0; i < 4; i++) expiry.touch(key('weekly'));
      await expiry.run();
      for (let i = 0; i < 30; i++) {
        await add(`scan-${i}`);
        await expiry.run();
      }
      return (await held('weekly')).length === 1;
    };
    expect(await survives('s3fifo')).toBe(true);
    expect(await survives('lru')).toBe(false);
  });

  it('gives up what nobody asks for any more', async () => {
    const { expiry, add, held } = make({ maxBytes: 1_000 });
    await add('was-hot');
    for (let i = 0; i < 5; i++) expiry.touch(key('was-hot'));
    for (let i = 0; i < 400; i++) {
      await add(`next-${i}`);
      // Others are in demand now.
      expiry.touch(key(`next-${i}`));
      expiry.touch(key(`next-${i}`));
      if (i % 3 === 0) await expiry.run();
    }
    expect(await held('was-hot')).toEqual([]);
  });

  it('lets what it gave up too early stay longer the second time', async () => {
    const { expiry, add, held } = make({ maxBytes: 1_000 });
    await add('again');
    for (let i = 0; i < 12; i++) await add(`a-${i}`);
    await expiry.run();
    expect(await held('again')).toEqual([]);
    await add('again');
    for (let i = 0; i < 30; i++) {
      await add(`b-${i}`);
      await expiry.run();
    }
    expect(await held('again')).toEqual(['again']);
  });
});

it('notes of uses survive in the rows, and cost no write while they are made', async () => {
  const { expiry, index, clock, add } = make();
  await add('used');
  clock.time += HOUR;
  for (let i = 0; i < 9; i++) expiry.touch(key('used'));
  expiry.touch(key('nobody'));
  expect((await index.get(key('used')))?.accessedAt).toBeUndefined();
  await expiry.run();
  expect(await index.get(key('used'))).toMatchObject({ accessedAt: clock.now(), hits: 3 });
  expect(await index.get(key('nobody'))).toBeUndefined();
});

it('a row that is linked anew while others are dropped stays', async () => {
  const { expiry, index, store, clock, add } = make({ ttlMs: HOUR });
  await add('renewed');
  clock.time += 2 * HOUR;
  const { unlink } = index;
  index.unlink = async (row, options) => {
    index.unlink = unlink;
    await index.link(key('renewed'), {}, await store.put(sourceOf('renewed')));
    return index.unlink(row, options);
  };
  await expiry.run();
  expect(await index.get(key('renewed'))).toBeDefined();
});
