import { MemoryOrderedStore, type OrderedStore } from '@_all_docs/cache';
import { BlobIndex, type BlobRow, type Hash, type PutResult } from '@_all_docs/content';
import { describe, expect, it } from 'vitest';
import { collect, randomFrom } from '../../../test/contract/_bytes.ts';
import { memoryStore, sourceOf } from './_store.ts';

const GRACE = 60_000;
const key = (i: number | string) => `v1:version:npm:${i}`;

function make(ordered: OrderedStore = new MemoryOrderedStore()) {
  const { store, backend, clock } = memoryStore();
  const index = new BlobIndex({ ordered, store, clock });
  const put = (text: string) => store.put(sourceOf(text));
  return { index, store, backend, clock, ordered, put };
}
const rowOf = async (index: BlobIndex, { hash }: { hash: Hash }) => {
  const { refs, pinned } = (await index.blob(hash)) as BlobRow;
  return { refs, pinned };
};

describe('a link', () => {
  it('is a row that names the blob, beside what its protocol says', async () => {
    const { index, clock, put } = make();
    const blob = await put('one');
    expect(await index.get(key(1))).toBeUndefined();
    await index.link(key(1), { version: '1.0.0' }, blob);
    expect(await index.get(key(1))).toEqual({ version: '1.0.0', blob: blob.hash.id, size: 3, at: clock.now() });
    expect(await index.blob(blob.hash)).toEqual({ size: 3, encoding: 'identity', refs: 1, pinned: 0, at: clock.now() });
  });

  it('counts each row once, however often it is made', async () => {
    const { index, put } = make();
    const blob = await put('one');
    await index.link(key(1), {}, blob);
    await index.link(key(1), {}, blob);
    await index.link(key(2), {}, blob);
    expect(await rowOf(index, blob)).toEqual({ refs: 2, pinned: 0 });
  });

  it('to another blob takes the reference from the one before', async () => {
    const { index, put } = make();
    const [one, two] = [await put('one'), await put('another')];
    await index.link(key(1), {}, one);
    await index.link(key(1), {}, two);
    expect(await rowOf(index, one)).toEqual({ refs: 0, pinned: 0 });
    expect(await rowOf(index, two)).toEqual({ refs: 1, pinned: 0 });
    expect((await index.get(key(1)))?.size).toBe(7);
  });

  it('stays pinned until it is told otherwise', async () => {
    const { index, put } = make();
    const [one, two] = [await put('one'), await put('another')];
    await index.link(key(1), {}, one, { pinned: true });
    await index.link(key(1), {}, two);
    expect((await index.get(key(1)))?.pinned).toBe(true);
    expect(await rowOf(index, one)).toEqual({ refs: 0, pinned: 0 });
    expect(await rowOf(index, two)).toEqual({ refs: 1, pinned: 1 });
    await index.link(key(1), {}, two, { pinned: false });
    expect((await index.get(key(1)))?.pinned).toBeUndefined();
    expect(await rowOf(index, two)).toEqual({ refs: 1, pinned: 0 });
  });

  it('is taken back with its count, and says what is free then', async () => {
    const { index, put } = make();
    const blob = await put('shared');
    await index.link(key(1), {}, blob, { pinned: true });
    await index.link(key(2), {}, blob);
    expect(await index.unlink(key(1))).toBe(0);
    expect(await index.unlink(key(1))).toBe(0);
    expect(await rowOf(index, blob)).toEqual({ refs: 1, pinned: 0 });
    expect(await index.unlink(key(2))).toBe(6);
    expect(await index.get(key(2))).toBeUndefined();
  });

  it('that was made anew is not taken back by whoever saw the old one', async () => {
    const { index, clock, put } = make();
    await index.link(key(1), {}, await put('one'));
    const seen = clock.now();
    clock.time += 5;
    await index.link(key(1), {}, await put('two'));
    expect(await index.unlink(key(1), { at: seen })).toBe(0);
    expect(await index.get(key(1))).toBeDefined();
    expect(await index.unlink(key(1), { at: seen + 5 })).toBe(3);
  });
});

it('counts stay true whoever changes rows at the same time', async () => {
  const { index, put } = make(slow(new MemoryOrderedStore(), 5));
  const blobs = await Promise.all(['a', 'bb', 'ccc'].map(put));
  const next = randomFrom(11);
  const pick = (n: number) => Math.floor(next() * n);
  for (let round = 0; round < 40; round++) {
    await Promise.all(
      Array.from({ length: 12 }, () => {
        const row = key(pick(6));
        if (next() < 0.4) return index.unlink(row);
        return index.link(row, {}, blobs[pick(3)] as PutResult, { pinned: next() < 0.3 });
      }),
    );
    for (const { hash } of blobs) {
      const rows = (await Promise.all([0, 1, 2, 3, 4, 5].map((i) => index.get(key(i))))).filter(
        (row) => row?.blob === hash.id,
      );
      const counted = (await index.blob(hash)) ?? { refs: 0, pinned: 0 };
      expect(counted.refs).toBe(rows.length);
      expect(counted.pinned).toBe(rows.filter((row) => row?.pinned).length);
    }
  }
});

describe('a sweep', () => {
  it('deletes what nobody has referred to for the grace period', async () => {
    const { index, store, clock, put } = make();
    const [kept, gone] = [await put('kept'), await put('gone')];
    await index.link(key('kept'), {}, kept);
    await index.link(key('gone'), {}, gone);
    clock.time += 10 * GRACE;
    await index.unlink(key('gone'));
    expect(await index.sweep({ graceMs: GRACE })).toEqual({ blobs: 0, bytes: 0 });
    clock.time += GRACE + 1;
    expect(await index.sweep({ graceMs: GRACE })).toEqual({ blobs: 1, bytes: 4 });
    expect(await store.has(gone.hash)).toBe(false);
    expect(await index.blob(gone.hash)).toBeUndefined();
    expect(await store.has(kept.hash)).toBe(true);
    expect(await index.sweep({ graceMs: GRACE })).toEqual({ blobs: 0, bytes: 0 });
  });

  it('spares what was referred to again', async () => {
    const { index, store, clock, put } = make();
    const blob = await put('back');
    await index.link(key(1), {}, blob);
    await index.unlink(key(1));
    clock.time += GRACE + 1;
    await index.link(key(2), {}, blob);
    clock.time += GRACE + 1;
    await index.sweep({ graceMs: GRACE });
    expect(await store.has(blob.hash)).toBe(true);
  });

  it('spares what was put again a moment ago and is linked in a moment', async () => {
    const { index, store, clock, put } = make();
    const blob = await put('again');
    await index.link(key(1), {}, blob);
    await index.unlink(key(1));
    clock.time += GRACE + 1;
    await put('again');
    await index.sweep({ graceMs: GRACE });
    await index.link(key(2), {}, blob);
    expect(await store.has(blob.hash)).toBe(true);
    expect(await rowOf(index, blob)).toEqual({ refs: 1, pinned: 0 });
  });

  it('finds blobs without a row, which a crash left, when it is asked to', async () => {
    const { index, store, clock, put } = make();
    const [orphan, linked] = [await put('orphan'), await put('linked')];
    await index.link(key(1), {}, linked);
    clock.time += GRACE + 1;
    const young = await put('young');
    expect(await index.sweep({ graceMs: GRACE })).toEqual({ blobs: 0, bytes: 0 });
    expect(await index.sweep({ graceMs: GRACE, orphans: true })).toEqual({ blobs: 1, bytes: 6 });
    expect(await store.has(orphan.hash)).toBe(false);
    expect((await collect(store.list())).map(String).sort()).toEqual([`${linked.hash}`, `${young.hash}`].sort());
  });
});

/** The same store, with turns of the event loop before what it does: others come in between. */
function slow(store: OrderedStore, turns: number): OrderedStore {
  const next = randomFrom(5);
  const wait = async () => {
    for (let i = next() * turns; i > 0; i--) await Promise.resolve();
  };
  return {
    async get(key) {
      await wait();
      return store.get(key);
    },
    list: (range) => store.list(range),
    async commit(changes, expected) {
      await wait();
      return store.commit(changes, expected);
    },
  };
}
