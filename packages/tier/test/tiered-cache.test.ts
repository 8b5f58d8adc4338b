import { createAbbreviatedKey, createPartitionKey, MemoryOrderedStore, MemoryStorageDriver } from '@_all_docs/cache';
import { OrderedTombstones, TieredCache } from '@_all_docs/tier';
import { describe, expect, it } from 'vitest';
import { RecorderDriver } from '../../../test/drivers/recorder.ts';
import { ManualClock } from './_clock.ts';
import { entryOf, KEY, RuledDriver, textOf, tiered } from './_tiers.ts';

/** Something that goes on when it is told to. */
const gate = () => Promise.withResolvers<void>();

describe('reading', () => {
  it('asks from the top down, and fills what lies above with the time that the origin confirmed it', async () => {
    const { cache, l1, l2, primary, clock } = tiered();
    await primary.inner.write(KEY, entryOf('value', 5));
    expect(await cache.read(KEY)).toEqual(await primary.inner.read(KEY));
    await clock.pass(0);
    for (const tier of [l1, l2])
      expect(await tier.head(KEY)).toMatchObject({ storedAt: 5, tier: { asOf: clock.now() } });
    await cache.read(KEY);
    expect(cache.stats()).toMatchObject({
      primary: { reads: 1 },
      tiers: [
        { hits: 1, fills: 1 },
        { hits: 0, fills: 1 },
      ],
    });
    await l1.delete(KEY);
    await clock.pass(2_000);
    expect((await cache.read(KEY))?.metadata.storedAt).toBe(5);
    await clock.pass(0);
    expect(cache.stats()).toMatchObject({ primary: { reads: 1 }, tiers: [{ fills: 2 }, { hits: 1 }] });
  });

  it('asks the primary again once maxAge is over, however often tiers were filled from each other', async () => {
    const { cache, l1, primary, clock } = tiered({ maxAge: 100 });
    await primary.inner.write(KEY, entryOf('old'));
    await cache.read(KEY);
    for (let seconds = 0; seconds < 100; seconds += 10) {
      await clock.pass(9_999);
      await l1.delete(KEY);
      expect(textOf(await cache.read(KEY))).toBe('old');
    }
    await primary.inner.write(KEY, entryOf('new'));
    await clock.pass(100);
    expect(textOf(await cache.read(KEY))).toBe('new');
  });

  it('believes what others put into a tier as of when the origin confirmed it', async () => {
    const { cache, l1, primary, clock } = tiered();
    await primary.inner.write(KEY, entryOf('primary'));
    await l1.write(KEY, entryOf('pushed', clock.now() - 299_000));
    expect(textOf(await cache.read(KEY))).toBe('pushed');
    await clock.pass(2_000);
    expect(textOf(await cache.read(KEY))).toBe('primary');
    await l1.write(KEY, entryOf('from the future', clock.now() + 3_600_000));
    expect(textOf(await cache.read(KEY))).toBe('primary');
  });

  it('keeps nothing of other tables in tiers', async () => {
    const { cache, l1, l2, clock } = tiered();
    for (const key of ['v1:tarball:npm:61', 'anything', createPartitionKey('a', 'b'), createAbbreviatedKey('a')]) {
      await cache.write(key, entryOf('value'));
      await cache.read(key);
      await clock.pass(0);
      const isKept = key.startsWith('v1:partition') || key.startsWith('v1:abbreviated');
      for (const tier of [l1, l2]) expect(await tier.has(key), key).toBe(isKept);
      await cache.delete(key);
    }
    const own = tiered({ syncTables: ['tarballs'] });
    await own.cache.write('v1:tarball:npm:61', entryOf('value'));
    await own.cache.write(KEY, entryOf('value'));
    expect([await own.l1.has('v1:tarball:npm:61'), await own.l1.has(KEY)]).toEqual([true, false]);
  });

  it('remembers for ten seconds that the primary has nothing, and never shows that as a value', async () => {
    const { cache, l1, primary, clock } = tiered();
    expect(await cache.read(KEY)).toBeUndefined();
    await cache.settled();
    expect([await cache.read(KEY), await cache.head(KEY), await cache.has(KEY)]).toEqual([undefined, undefined, false]);
    expect(cache.stats().primary.reads).toBe(1);
    // A store that loses the note, or a value that looks the same, is not taken for either.
    const absent = await l1.read(KEY);
    await l1.write(KEY, { body: absent?.body as Uint8Array, metadata: { ...entryOf('').metadata, digest: undefined } });
    await primary.inner.write(KEY, entryOf('value'));
    expect(await cache.read(KEY)).toBeUndefined();
    await clock.pass(10_000);
    expect(textOf(await cache.read(KEY))).toBe('value');
    await cache.write(KEY, {
      body: absent?.body as Uint8Array,
      metadata: { storedAt: 1, encoding: 'identity', size: 0 },
    });
    for (let i = 0; i < 3; i++) expect(textOf(await cache.read(KEY))).toBe(textOf(absent));
    await clock.pass(400_000);
    expect(textOf(await cache.read(KEY))).toBe(textOf(absent));
  });

  it('answers with what is stale and renews it behind the answer, where that is wanted', async () => {
    const waiting: Promise<unknown>[] = [];
    const { cache, primary, clock } = tiered({ staleWhileRevalidate: 60, waitUntil: (work) => waiting.push(work) });
    await cache.write(KEY, entryOf('old'));
    await primary.inner.write(KEY, entryOf('new'));
    await clock.pass(301_000);
    const answers = await Promise.all([1, 2, 3].map(() => cache.read(KEY)));
    expect(answers.map(textOf)).toEqual(['old', 'old', 'old']);
    await Promise.all(waiting);
    expect(textOf(await cache.read(KEY))).toBe('new');
    expect(cache.stats()).toMatchObject({ primary: { reads: 1 }, tiers: [{ stale: 3 }, {}] });
    // Past its end, and after a removal that the renewal notices, nothing old is shown.
    await primary.inner.delete(KEY);
    await clock.pass(301_000);
    expect(textOf(await cache.read(KEY))).toBe('new');
    await cache.settled();
    expect(await cache.read(KEY)).toBeUndefined();
  });

  it('asks the primary once for all who ask at once, where flights are shared', async () => {
    const flights = new Map<string, Promise<unknown>>();
    const opened = gate();
    const primary = new RuledDriver(new MemoryStorageDriver(), (verb) =>
      verb === 'read' ? opened.promise : undefined,
    );
    const { cache } = tiered({
      primary,
      flight: <T>(key: string, work: () => Promise<T>) => {
        const flight = (flights.get(key) as Promise<T>) ?? work();
        flights.set(key, flight);
        return flight;
      },
    });
    await primary.inner.write(KEY, entryOf('old'));
    const first = cache.read(KEY);
    const second = cache.read(KEY);
    await new Promise((resolve) => setImmediate(resolve));
    // Who asks after a change was acknowledged does not get what a flight from before it brings.
    await cache.write(KEY, entryOf('new'));
    await primary.inner.delete(KEY);
    await cache.delete(KEY);
    const third = cache.read(KEY);
    opened.resolve();
    expect((await Promise.all([first, second])).every((entry) => entry === undefined || textOf(entry) === 'old')).toBe(
      true,
    );
    expect(await third).toBeUndefined();
    expect(primary.calls).toBeLessThanOrEqual(5);
  });

  it('gives up no work that a host must wait for', async () => {
    const waiting: Promise<unknown>[] = [];
    const { cache, primary, l1 } = tiered({ waitUntil: (work) => waiting.push(work) });
    await primary.inner.write(KEY, entryOf('value'));
    await cache.read(KEY);
    await Promise.all(waiting);
    expect(await l1.has(KEY)).toBe(true);
  });
});

describe('writing', () => {
  it.each([
    ['write-through', 'eager', [true, true]],
    ['write-through', 'on-read', [false, true]],
    ['lazy', 'eager', [false, false]],
  ] as const)('%s, %s: the tiers hold it at once, as they should', async (strategy, fill, expected) => {
    const { cache, l1, l2, clock } = tiered({ strategy, fill });
    await cache.write(KEY, entryOf('old'));
    await cache.read(KEY);
    await clock.pass(2_000);
    await cache.write(KEY, entryOf('new'));
    expect([await l1.has(KEY), await l2.has(KEY)]).toEqual(expected);
    expect(textOf(await cache.read(KEY))).toBe('new');
    await clock.pass(0);
    expect([textOf(await l1.read(KEY)), textOf(await l2.read(KEY))]).toEqual(['new', 'new']);
  });

  it('of one key by two at once leaves the tiers to the next read: only the primary knows who was last', async () => {
    const primary = new RuledDriver();
    const { cache } = tiered({ primary });
    const turns: (() => void)[] = [];
    primary.rule = (verb) => (verb === 'write' ? new Promise<void>((resolve) => turns.push(resolve)) : undefined);
    const first = cache.write(KEY, entryOf('first'));
    const second = cache.write(KEY, entryOf('second'));
    await new Promise((resolve) => setImmediate(resolve));
    // The second arrives before the first, and is acknowledged after it.
    turns[1]?.();
    primary.rule = undefined;
    await new Promise((resolve) => setImmediate(resolve));
    turns[0]?.();
    await Promise.all([first, second]);
    expect(textOf(await cache.read(KEY))).toBe(textOf(await primary.inner.read(KEY)));
    expect(textOf(await cache.read(KEY))).toBe('first');
  });

  it('is known before what another wrote, though its clock is ahead, and what it wrote lies in a tier that takes nothing', async () => {
    const clock = new ManualClock();
    const ahead = { now: () => clock.now() + 999, sleep: clock.sleep.bind(clock) };
    const { cache: other, l1, l2, primary } = tiered({ clock: ahead as ManualClock });
    const { cache } = tiered({ l1, l2, primary, clock });
    await other.write(KEY, entryOf('theirs'));
    for (const tier of [l1, l2] as RuledDriver[]) {
      tier.rule = (verb) => {
        if (verb === 'write' || verb === 'delete') throw new Error('takes nothing');
      };
    }
    await cache.write(KEY, entryOf('ours'));
    expect(textOf(await cache.read(KEY))).toBe('ours');
    expect((await cache.head(KEY))?.digest).toBe(entryOf('ours').metadata.digest);
    await primary.inner.write(KEY, entryOf('theirs'));
    expect(textOf(await cache.read(KEY))).toBe('theirs');
    await cache.delete(KEY);
    expect(await cache.read(KEY)).toBeUndefined();
  });

  it('renews age in the tiers, too, when an entry is touched', async () => {
    const { cache, l1, clock } = tiered();
    await cache.write(KEY, entryOf('value', 5));
    await cache.touch(KEY, { storedAt: 7, etag: 'e' });
    expect((await cache.head(KEY))?.storedAt).toBe(7);
    await clock.pass(0);
    expect(await l1.head(KEY)).toMatchObject({ storedAt: 7, etag: 'e' });
  });

  it('touches no tier when the primary refuses', async () => {
    const { cache, primary, l1, l2 } = tiered();
    primary.rule = () => Promise.reject(new Error('refused'));
    await expect(cache.write(KEY, entryOf('value'))).rejects.toThrow('refused');
    await expect(cache.delete(KEY)).rejects.toThrow('refused');
    for (const tier of [l1, l2] as RuledDriver[]) expect(tier.calls).toBe(0);
  });
});

describe('removing', () => {
  it('goes from the primary up, the top tier last', async () => {
    const order: string[] = [];
    const named = (name: string) =>
      new RuledDriver(new MemoryStorageDriver(), (verb) => void (verb === 'delete' && order.push(name)));
    const { cache } = tiered({ l1: named('L1'), l2: named('L2'), primary: named('primary') });
    await cache.delete(KEY);
    expect(order).toEqual(['primary', 'L2', 'L1']);
  });

  it('holds against a reader who read before it and fills after it', async () => {
    const answer = gate();
    const primary = new RuledDriver();
    const { cache, l1, clock } = tiered({ primary });
    await primary.inner.write(KEY, entryOf('old'));
    const old = await primary.inner.read(KEY);
    primary.inner.read = async () => {
      await answer.promise;
      return old;
    };
    const reading = cache.read(KEY);
    await clock.pass(0);
    await cache.delete(KEY);
    answer.resolve();
    expect(textOf(await reading)).toBe('old');
    await clock.pass(0);
    primary.inner.read = async () => undefined;
    expect(await cache.read(KEY)).toBeUndefined();
    await l1.write(KEY, { body: entryOf('old').body, metadata: { ...entryOf('old').metadata, tier: { asOf: 0 } } });
    expect(await cache.read(KEY)).toBeUndefined();
  });

  it('holds in another process for which a reader filled late, once maxAge is over since the read began', async () => {
    const clock = new ManualClock();
    const [l1, primary] = [new RuledDriver(), new RuledDriver()];
    const [remover, reader] = [1, 2].map(() => new TieredCache({ tiers: [l1, primary], clock }));
    await primary.inner.write(KEY, entryOf('old'));
    const answer = gate();
    const old = await primary.inner.read(KEY);
    const read = primary.inner.read.bind(primary.inner);
    primary.inner.read = async () => {
      await answer.promise;
      return old;
    };
    const reading = reader?.read(KEY);
    await clock.pass(200_000);
    await remover?.delete(KEY);
    answer.resolve();
    await reading;
    primary.inner.read = read;
    await clock.pass(99_000);
    // The bound: without tombstones it is still shown here …
    expect(textOf(await reader?.read(KEY))).toBe('old');
    await clock.pass(1_001);
    // … and not for 300 s since the answer came, but since it was asked for.
    expect(await reader?.read(KEY)).toBeUndefined();
  });

  it('is heard of by others before they look into their tiers', async () => {
    const clock = new ManualClock();
    const ordered = new MemoryOrderedStore();
    const [l1, primary] = [new RuledDriver(), new RuledDriver()];
    const open = () =>
      new TieredCache({
        tiers: [l1, primary],
        clock,
        tombstones: new OrderedTombstones(ordered, { clock, refreshMs: 5_000 }),
      });
    const [remover, reader] = [open(), open()];
    await remover.write(KEY, entryOf('old'));
    expect(textOf(await reader.read(KEY))).toBe('old');
    // The tier goes on showing it.
    l1.rule = (verb) => (verb === 'delete' ? Promise.reject(new Error('later')) : undefined);
    await remover.delete(KEY);
    expect(await remover.read(KEY)).toBeUndefined();
    await clock.pass(5_000);
    expect(await reader.read(KEY)).toBeUndefined();
    expect(textOf(await l1.inner.read(KEY))).toContain('old');
    // A new one is shown again, once nobody remembers that there was nothing.
    await clock.pass(10_000);
    await remover.write(KEY, entryOf('new'));
    expect(textOf(await reader.read(KEY))).toBe('new');
  });

  it('fails when the others cannot be told, and nothing is read from tiers when it cannot be heard', async () => {
    const ordered = new MemoryOrderedStore();
    const clock = new ManualClock();
    let isDown = false;
    const rows = {
      get: (key: string) => ordered.get(key),
      list: (range?: object) => {
        if (isDown) throw new Error('down');
        return ordered.list(range);
      },
      commit: (...args: Parameters<typeof ordered.commit>) =>
        isDown ? Promise.reject(new Error('down')) : ordered.commit(...args),
    };
    const { cache, log, primary } = tiered({
      clock,
      tombstones: new OrderedTombstones(rows, { clock, refreshMs: 0 }),
    });
    await cache.write(KEY, entryOf('value'));
    isDown = true;
    const before = primary.calls;
    for (let i = 0; i < 5; i++) expect(textOf(await cache.read(KEY))).toBe('value');
    expect(primary.calls - before).toBe(5);
    await expect(cache.delete(KEY)).rejects.toThrow('down');
    expect(cache.stats().tombstones).toBe('open');
    isDown = false;
    await clock.pass(1_000);
    await cache.read(KEY);
    await clock.pass(0);
    expect(cache.stats().tombstones).toBe('closed');
    expect(log).toEqual([
      'removals by others cannot be heard of: everything is read from the primary',
      'removals by others are heard of again',
    ]);
  });

  it('is remembered by rows that others take away when they are old', async () => {
    const clock = new ManualClock();
    const ordered = new MemoryOrderedStore();
    const tombstones = new OrderedTombstones(ordered, { clock, keepFor: 600 });
    for (let i = 0; i < 50; i++) {
      await tombstones.record(`${KEY}${i}`);
      await clock.pass(60_000);
    }
    let rows = 0;
    for await (const _ of ordered.list()) rows += 1;
    expect(rows).toBeLessThanOrEqual(21);
    const told: string[] = [];
    await new OrderedTombstones(ordered, { clock, keepFor: 600 }).hear((key) => told.push(key));
    expect(told).toEqual(Array.from({ length: told.length }, (_, i) => `${KEY}${50 - told.length + i}`));
    expect(told.length).toBeGreaterThanOrEqual(9);
  });
});

describe('construction', () => {
  it('needs a primary, and tombstones that last as long as what tiers serve', () => {
    const clock = new ManualClock();
    expect(() => new TieredCache({ tiers: [], clock })).toThrow('needs at least the primary');
    const tombstones = new OrderedTombstones(new MemoryOrderedStore(), { clock, keepFor: 60 });
    expect(() => new TieredCache({ tiers: [new MemoryStorageDriver()], clock, tombstones })).toThrow('keep tombstones');
  });

  it('lists, and keeps rows, at the primary', async () => {
    const primary = new RecorderDriver(new MemoryStorageDriver());
    const cache = new TieredCache({ tiers: [new MemoryStorageDriver(), primary], clock: new ManualClock() });
    expect(cache.ordered).toBe(primary.ordered);
    for await (const _ of cache.list('v1:'));
    expect(primary.keys('list')).toEqual(['v1:']);
  });
});

describe('memory', () => {
  it('is bounded: more changes than are remembered make everything older void, and nothing wrong', async () => {
    const { cache, primary } = tiered();
    await cache.write(KEY, entryOf('value'));
    for (let i = 0; i < 10_001; i++) await cache.delete(`${KEY}${i.toString(16).padStart(6, '0')}`);
    const before = primary.calls;
    expect(textOf(await cache.read(KEY))).toBe('value');
    expect(primary.calls).toBe(before + 1);
  });
});
