import { MemoryStorageDriver } from '@_all_docs/cache';
import { LargeObjectDriver, TieredCache } from '@_all_docs/tier';
import { describe, expect, it } from 'vitest';
import { codeOf, collect, randomFrom } from '../../../test/contract/_bytes.ts';
import { ManualClock } from './_clock.ts';
import { entryOf, KEY, RuledDriver, textOf } from './_tiers.ts';

const LARGE = 'x'.repeat(100);
const open = (objects = new RuledDriver()) => {
  const inner = new MemoryStorageDriver();
  const driver = new LargeObjectDriver(inner, { objects, random: randomFrom(1), overBytes: 50 });
  return { inner, objects, driver };
};

describe('a large body', () => {
  it('lies in the object store, and is read as if it did not', async () => {
    const { driver, inner, objects } = open();
    const large = entryOf(LARGE);
    await driver.write(KEY, { ...large, metadata: { ...large.metadata, etag: 'e' } });
    expect(await driver.read(KEY)).toEqual({ ...large, metadata: { ...large.metadata, etag: 'e' } });
    expect(await driver.head(KEY)).toEqual({ ...large.metadata, etag: 'e' });
    expect((await inner.read(KEY))?.body.length).toBeLessThan(200);
    expect(await collect(objects.list())).toHaveLength(1);
    await driver.touch(KEY, { storedAt: 9 });
    expect(await driver.read(KEY)).toMatchObject({ body: large.body, metadata: { storedAt: 9, size: 100 } });
  });

  it('takes its object along when it is replaced or removed', async () => {
    const { driver, objects } = open();
    for (const text of [LARGE, `${LARGE}2`, LARGE, 'small', LARGE]) {
      await driver.write(KEY, entryOf(text));
      expect(await collect(objects.list())).toHaveLength(text === 'small' ? 0 : 1);
    }
    await driver.delete(KEY);
    expect(await collect(objects.list())).toEqual([]);
  });

  it('whose object is gone or changed is ERR_CORRUPT, never a value', async () => {
    const { driver, objects, inner } = open();
    await driver.write(KEY, entryOf(LARGE));
    const [object] = await collect(objects.list());
    await objects.write(object as string, entryOf(`${LARGE}!`));
    expect(await codeOf(() => driver.read(KEY))).toBe('ERR_CORRUPT');
    await objects.delete(object as string);
    expect(await codeOf(() => driver.read(KEY))).toBe('ERR_CORRUPT');
    expect(await codeOf(() => driver.get(KEY))).toBe('ERR_CORRUPT');
    // Nor where a store lost the note that it is a reference.
    const reference = await inner.read(KEY);
    await inner.write(KEY, {
      body: reference?.body as Uint8Array,
      metadata: { ...entryOf('').metadata, digest: undefined },
    });
    expect(await codeOf(() => driver.read(KEY))).toBe('ERR_CORRUPT');
    await driver.write(KEY, entryOf(textOf(reference) as string));
    expect(textOf(await driver.read(KEY))).toBe(textOf(reference));
  });

  it('that cannot be stored leaves what was there', async () => {
    const { driver, objects } = open();
    await driver.write(KEY, entryOf(LARGE));
    objects.rule = (verb) => (verb === 'write' ? Promise.reject(new Error('full')) : undefined);
    await expect(driver.write(KEY, entryOf(`${LARGE}2`))).rejects.toThrow('full');
    expect(textOf(await driver.read(KEY))).toBe(LARGE);
  });

  it('is read whole by whoever reads while it is replaced', async () => {
    const { driver, objects } = open();
    await driver.write(KEY, entryOf(LARGE));
    const [old] = await collect(objects.list());
    objects.rule = async (verb, key) => {
      if (verb !== 'read' || key !== old) return;
      objects.rule = undefined;
      await driver.write(KEY, entryOf(`${LARGE}2`));
    };
    expect(textOf(await driver.read(KEY))).toBe(`${LARGE}2`);
  });

  it('in a tier is a miss when its object is gone, and is put back', async () => {
    const clock = new ManualClock();
    const { driver, objects } = open();
    const primary = new MemoryStorageDriver();
    const cache = new TieredCache({ tiers: [driver, primary], clock });
    await cache.write(KEY, entryOf(LARGE));
    expect(textOf(await cache.read(KEY))).toBe(LARGE);
    expect(cache.stats().primary.reads).toBe(0);
    for (const object of await collect(objects.list())) await objects.delete(object);
    expect(textOf(await cache.read(KEY))).toBe(LARGE);
    await cache.settled();
    expect(cache.stats()).toMatchObject({ primary: { reads: 1 }, tiers: [{ corrupt: 1, reads: 'closed' }] });
    expect(await cache.read(KEY)).toEqual(await primary.read(KEY));
    expect(cache.stats().primary.reads).toBe(1);
  });
});
