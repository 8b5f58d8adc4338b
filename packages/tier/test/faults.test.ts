import { CacheError, MemoryStorageDriver, type StorageDriver } from '@_all_docs/cache';
import { describe, expect, it } from 'vitest';
import { LaggingDriver } from '../../../test/drivers/lagging.ts';
import { ManualClock } from './_clock.ts';
import { entryOf, KEY, RuledDriver, textOf, tiered } from './_tiers.ts';

const fail = (code: ConstructorParameters<typeof CacheError>[0]) => () => {
  throw new CacheError(code, 'as the test says');
};
/** Every fault that a top tier may have. */
const FAULTS: [about: string, make: (clock: ManualClock) => StorageDriver][] = [
  ['fails each call', () => new RuledDriver(new MemoryStorageDriver(), fail('ERR_STORAGE_READ'))],
  ['fails with something else than an error', () => new RuledDriver(undefined, () => Promise.reject(undefined))],
  ['takes 2 s for each call', (clock) => new RuledDriver(undefined, () => clock.sleep(2_000))],
  ['never answers', () => new RuledDriver(undefined, () => new Promise(() => {}))],
  ['is corrupt', () => new RuledDriver(undefined, (verb) => (verb === 'read' ? fail('ERR_CORRUPT')() : undefined))],
  ['is full', () => new RuledDriver(undefined, (verb) => (verb === 'write' ? fail('ERR_DISK_FULL')() : undefined))],
  ['lags 60 s', (clock) => new LaggingDriver(new MemoryStorageDriver(), { clock, lagMs: 60_000 })],
  ['cuts bodies', () => new Cutting()],
  ['loses our notes', () => new Forgetful()],
];

class Cutting extends MemoryStorageDriver {
  override async read(key: string) {
    const entry = await super.read(key);
    return entry && { ...entry, body: entry.body.subarray(0, -1) };
  }
}
class Forgetful extends MemoryStorageDriver {
  override async read(key: string) {
    const entry = await super.read(key);
    return entry && { ...entry, metadata: { ...entry.metadata, tier: undefined } };
  }
  override async head(key: string) {
    const metadata = await super.head(key);
    return metadata && { ...metadata, tier: undefined };
  }
}

describe.each(FAULTS)('with a top tier that %s', (_, make) => {
  for (const strategy of ['write-through', 'lazy'] as const) {
    it(`no call fails and every answer is right (${strategy})`, async () => {
      const clock = new ManualClock();
      const { cache } = tiered({ clock, l1: make(clock), strategy });
      const held = new Map<string, string>();
      for (let i = 0; i < 120; i++) {
        const key = `${KEY}${i % 3}${i % 7}`;
        if (i % 5 === 4) {
          held.delete(key);
          await clock.time(cache.delete(key));
        } else if (i % 2 === 0) {
          held.set(key, `value ${i}`);
          await clock.time(cache.write(key, entryOf(`value ${i}`)));
        }
        for (const [each, text] of held) {
          expect(textOf((await clock.time(cache.read(each))).given)).toBe(text);
          expect((await clock.time(cache.head(each))).given?.size).toBe(text.length);
        }
        expect((await clock.time(cache.read(key))).given === undefined).toBe(!held.has(key));
        expect((await clock.time(cache.has(key))).given).toBe(held.has(key));
        await clock.pass(i % 4 === 0 ? 1_500 : 40);
      }
      expect(cache.stats().primary.failures).toBe(0);
    });
  }

  it('an answer takes no time once the fault was noticed, whenever it is probed', async () => {
    const clock = new ManualClock();
    const { cache, primary } = tiered({ clock, l1: make(clock), l2: new MemoryStorageDriver() });
    await clock.time(cache.write(KEY, entryOf('value')));
    await clock.time(cache.read(KEY));
    await clock.pass(100);
    const before = primary.calls;
    for (let i = 0; i < 200; i++) {
      const { given, ms } = await clock.time(cache.read(KEY));
      expect([textOf(given), ms]).toEqual(['value', 0]);
      await clock.pass(200);
    }
    // The second tier answers all the while.
    expect(primary.calls).toBe(before);
  });
});

describe('a tier that fails', () => {
  it('is left alone after the first failure, and probed back behind the answers', async () => {
    const l1 = new RuledDriver();
    const { cache, clock, log } = tiered({ l1 });
    await cache.write(KEY, entryOf('value'));
    l1.rule = fail('ERR_STORAGE_READ');
    await clock.time(cache.read(KEY));
    const calls = l1.calls;
    for (let i = 0; i < 50; i++) await clock.time(cache.read(KEY));
    expect(l1.calls).toBe(calls);
    expect(cache.stats().tiers[0]).toMatchObject({ failures: 1, reads: 'open' });
    expect(cache.stats().tiers[0]?.skipped).toBeGreaterThanOrEqual(50);
    // A probe a second, then every two, four …: never more than one call for any number of reads.
    for (let i = 0; i < 300; i++) {
      await clock.pass(100);
      await clock.time(cache.read(KEY));
    }
    expect(l1.calls - calls).toBe(4);
    l1.rule = undefined;
    await clock.pass(60_000);
    await clock.time(cache.read(KEY));
    await clock.pass(0);
    expect(cache.stats().tiers[0]).toMatchObject({ reads: 'closed' });
    const hits = cache.stats().tiers[0]?.hits as number;
    await clock.time(cache.read(KEY));
    expect(cache.stats().tiers[0]?.hits).toBe(hits + 1);
    expect(log).toEqual(['L1 is left alone for reads', 'L1 takes reads again']);
  });

  it('again right after it was probed back is left alone for twice as long each time, up to a minute', async () => {
    const failed: number[] = [];
    const clock = new ManualClock();
    let reads = 0;
    // Every probe goes well, every call does not.
    const l1 = new RuledDriver(undefined, (verb) => {
      if (verb !== 'read') return;
      reads += 1;
      if (reads % 2 === 0) return;
      failed.push(clock.now());
      fail('ERR_STORAGE_READ')();
    });
    const { cache } = tiered({ l1, clock });
    await cache.write(KEY, entryOf('value'));
    for (let i = 0; i < 4_000; i++) {
      await clock.time(cache.read(KEY));
      await clock.pass(100);
    }
    const pauses = failed.slice(1).map((at, i) => Math.round((at - (failed[i] as number)) / 1_000));
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]);
  });

  it('at one side only is still used at the other', async () => {
    const l1 = new RuledDriver();
    const { cache, clock } = tiered({ l1 });
    await cache.write(KEY, entryOf('value'));
    l1.rule = (verb) => (verb === 'write' ? fail('ERR_STORAGE_WRITE')() : undefined);
    await clock.time(cache.write(`${KEY}00`, entryOf('other')));
    expect(cache.stats().tiers[0]).toMatchObject({ reads: 'closed', writes: 'open' });
    await clock.time(cache.read(KEY));
    expect(cache.stats().tiers[0]?.hits).toBe(1);
  });
});

describe('a tier of which nothing comes', () => {
  it('is asked by every eighth read only, until it has an answer again', async () => {
    const l1 = new RuledDriver();
    const { cache, clock } = tiered({ l1 });
    await cache.write(KEY, entryOf('value'));
    await l1.inner.delete(KEY);
    const write = l1.inner.write.bind(l1.inner);
    l1.inner.write = async () => {};
    const asked = async (reads: number) => {
      const before = cache.stats().tiers[0]?.skipped as number;
      for (let i = 0; i < reads; i++) expect(textOf((await clock.time(cache.read(KEY))).given)).toBe('value');
      return reads - ((cache.stats().tiers[0]?.skipped as number) - before);
    };
    expect(await asked(64)).toBe(64);
    expect(await asked(800)).toBe(100);
    l1.inner.write = write;
    await clock.pass(1_000);
    await asked(16);
    expect(await asked(100)).toBe(100);
    expect(cache.stats().tiers[0]?.hits).toBeGreaterThan(100);
  });
});

describe('a slow tier', () => {
  it('costs the first reads its deadline, and nobody after them anything', async () => {
    const clock = new ManualClock();
    const l1 = new RuledDriver(undefined, () => clock.sleep(2_000));
    const { cache, primary } = tiered({ clock, l1 });
    await primary.inner.write(KEY, entryOf('value'));
    expect((await clock.time(Promise.all([1, 2, 3].map(() => cache.read(KEY))))).ms).toBe(250);
    expect((await clock.time(cache.read(KEY))).ms).toBe(0);
    expect(cache.stats().tiers[0]).toMatchObject({ failures: 3, reads: 'open' });
  });
});

describe('a full tier', () => {
  it('is not written to, but read, and still gives up what is removed', async () => {
    const l1 = new RuledDriver();
    const { cache, clock } = tiered({ l1 });
    await cache.write(KEY, entryOf('kept'));
    await cache.write(`${KEY}00`, entryOf('old'));
    l1.rule = (verb) => (verb === 'write' ? fail('ERR_DISK_FULL')() : undefined);
    await clock.time(cache.write(`${KEY}00`, entryOf('new')));
    // Nobody finds the old one there, other processes included.
    expect(await l1.inner.has(`${KEY}00`)).toBe(false);
    expect(textOf(await cache.read(KEY))).toBe('kept');
    await clock.time(cache.delete(KEY));
    expect(await l1.inner.has(KEY)).toBe(false);
    expect(cache.stats().tiers[0]).toMatchObject({ reads: 'closed', writes: 'open', hits: 1 });
  });
});

describe('a damaged entry', () => {
  it('is a counted miss of its tier, and overwritten', async () => {
    const l1 = new RuledDriver();
    const { cache, clock, log } = tiered({ l1 });
    await cache.write(KEY, entryOf('value'));
    l1.rule = (verb) => (verb === 'read' ? fail('ERR_CORRUPT')() : undefined);
    const writes = cache.stats().tiers[0]?.fills as number;
    expect(textOf(await cache.read(KEY))).toBe('value');
    l1.rule = undefined;
    await clock.pass(0);
    expect(cache.stats().tiers[0]).toMatchObject({ corrupt: 1, fills: writes + 1, failures: 0, reads: 'closed' });
    expect(log).toEqual(['a damaged entry in L1 is read from below']);
  });
});

describe('the primary', () => {
  it('alone fails a call, with its own error', async () => {
    const { cache, primary, clock } = tiered();
    await cache.write(KEY, entryOf('value'));
    primary.rule = fail('ERR_STORAGE_READ');
    // What tiers hold is answered all the same.
    expect(textOf(await cache.read(KEY))).toBe('value');
    await expect(cache.read(`${KEY}00`)).rejects.toMatchObject({ code: 'ERR_STORAGE_READ' });
    await expect(cache.head(`${KEY}00`)).rejects.toMatchObject({ code: 'ERR_STORAGE_READ' });
    await clock.pass(301_000);
    await expect(cache.read(KEY)).rejects.toMatchObject({ code: 'ERR_STORAGE_READ' });
    expect(cache.stats().primary.failures).toBe(3);
  });

  it('that fails a write leaves no new value in any tier, and no old one to be served', async () => {
    const { cache, primary, l1, l2 } = tiered();
    await cache.write(KEY, entryOf('old'));
    // It was done, and its answer lost.
    primary.rule = async (verb) => {
      if (verb !== 'write') return;
      await primary.inner.write(KEY, entryOf('new'));
      fail('ERR_STORAGE_WRITE')();
    };
    await expect(cache.write(KEY, entryOf('new'))).rejects.toMatchObject({ code: 'ERR_STORAGE_WRITE' });
    for (const tier of [l1, l2]) expect(textOf(await tier.read(KEY))).toBe('old');
    expect(textOf(await cache.read(KEY))).toBe('new');
  });
});
