import { Cache, createStorageDriver, MemoryStorageDriver, type StorageDriver } from '@_all_docs/cache';
import { describe, expect, it } from 'vitest';
import { codeOf } from './_errors.ts';

describe('Cache', () => {
  it('sets, gets, lists and deletes by key', async () => {
    const driver = await createStorageDriver({ storage: new MemoryStorageDriver() });
    const cache = new Cache({ driver });
    await cache.set('key', { a: 1 });
    await cache.set('key2', 2);
    expect(await cache.get('key')).toEqual({ a: 1 });
    expect(await cache.has('key')).toBe(true);
    const keys: string[] = [];
    for await (const key of cache.list('key', { after: 'key' })) keys.push(key);
    expect(keys).toEqual(['key2']);
    await cache.delete('key');
    expect(await cache.get('key')).toBeUndefined();
    expect(await cache.has('key')).toBe(false);
    expect(cache.driver).toBe(driver);
  });
});

describe('createStorageDriver', () => {
  it('gives the instance, or what the function makes', async () => {
    const driver = new MemoryStorageDriver();
    expect(await createStorageDriver({ storage: driver })).toBe(driver);
    expect(await createStorageDriver({ storage: () => driver })).toBe(driver);
    expect(await createStorageDriver({ storage: async () => driver })).toBe(driver);
  });

  it.each([
    ['no storage', {}],
    ['undefined', { storage: undefined }],
    ['null', { storage: null }],
    ['no driver', { storage: {} }],
    ['a function that gives nothing', { storage: () => undefined }],
    ['a string', { storage: 'memory' }],
    ['no environment', undefined],
  ])('is ERR_NO_STORAGE with %s', async (_, env) => {
    expect(await codeOf(() => createStorageDriver(env as { storage?: StorageDriver }))).toBe('ERR_NO_STORAGE');
  });

  it('lets the error of the function through', async () => {
    const trouble = Object.assign(new Error('no disk'), { code: 'ERR_CACHE_UNWRITABLE' });
    expect(await codeOf(() => createStorageDriver({ storage: () => Promise.reject(trouble) }))).toBe(
      'ERR_CACHE_UNWRITABLE',
    );
  });
});
