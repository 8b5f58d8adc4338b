import { assertKey, CacheError, MemoryStorageDriver, StorageDriver, type StoredEntry } from '@_all_docs/cache';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../../../test/contract/_bytes.ts';
import { type StorageTraits, storageDriverContract } from '../../../test/contract/storage-driver.ts';
import { ChaosDriver } from '../../../test/drivers/chaos.ts';
import { RecorderDriver } from '../../../test/drivers/recorder.ts';

const traits: StorageTraits = { cannotDecode: { value: ['br', 'zstd'], reason: 'DecompressionStream knows neither' } };
const text = (body: string): StoredEntry => ({
  body: new TextEncoder().encode(body),
  metadata: { storedAt: 1, encoding: 'identity', size: body.length },
});

storageDriverContract({ name: 'MemoryStorageDriver', create: () => new MemoryStorageDriver(), traits });
storageDriverContract({
  name: 'ChaosDriver that never fails',
  create: () => new ChaosDriver(new MemoryStorageDriver(), { share: 0 }),
  traits,
});
storageDriverContract({ name: 'RecorderDriver', create: () => new RecorderDriver(new MemoryStorageDriver()), traits });

class ShortKeys extends MemoryStorageDriver {
  override readonly maxKeyBytes = 512;
}
storageDriverContract({
  name: 'a driver of keys up to 512 bytes',
  create: () => new ChaosDriver(new ShortKeys(), { share: 0 }),
  traits,
});

describe('ERR_KEY_TOO_LONG', () => {
  it('comes before any I/O', async () => {
    let calls = 0;
    class Counting extends StorageDriver {
      override readonly maxKeyBytes = 8;
      async read(key: string) {
        return this.#io<StoredEntry>(key);
      }
      async head(key: string) {
        return this.#io<StoredEntry['metadata']>(key);
      }
      async write(key: string) {
        this.#io(key);
      }
      async delete(key: string) {
        this.#io(key);
      }
      async *list(): AsyncIterable<string> {}
      #io<T>(key: string): T | undefined {
        assertKey(key, this.maxKeyBytes);
        calls += 1;
        return undefined;
      }
    }
    const driver = new Counting();
    for (const work of [
      () => driver.get('nine-long'),
      () => driver.set('nine-long', 1),
      () => driver.has('nine-long'),
      () => driver.touch('nine-long', {}),
    ]) {
      expect(await codeOf(work)).toBe('ERR_KEY_TOO_LONG');
    }
    expect(calls).toBe(0);
  });
});

describe('ChaosDriver', () => {
  const run = async (seed: number) => {
    const driver = new ChaosDriver(new MemoryStorageDriver(), {
      share: 0.3,
      seed,
      codes: ['ERR_STORAGE_WRITE', 'ERR_DISK_FULL'],
    });
    const outcomes: (string | undefined)[] = [];
    for (let i = 0; i < 500; i++) outcomes.push(await codeOf(() => driver.write(`k${i}`, text('x'))));
    return { driver, outcomes };
  };

  it('fails its share of calls, the same for the same seed', async () => {
    const [first, second, other] = [await run(1), await run(1), await run(2)];
    expect(first.outcomes).toEqual(second.outcomes);
    expect(first.outcomes).not.toEqual(other.outcomes);
    expect(first.driver.failures).toBeGreaterThan(100);
    expect(first.driver.failures).toBeLessThan(200);
    expect(new Set(first.outcomes)).toEqual(new Set([undefined, 'ERR_STORAGE_WRITE', 'ERR_DISK_FULL']));
    expect(first.driver.failures).toBe(first.outcomes.filter((code) => code !== undefined).length);
  });

  it('before leaves nothing behind, after leaves the work done', async () => {
    for (const when of ['before', 'after'] as const) {
      const inner = new MemoryStorageDriver();
      const driver = new ChaosDriver(inner, { share: 1, when, codes: ['ERR_STORAGE_WRITE'] });
      await expect(driver.write('key', text('x'))).rejects.toThrow(CacheError);
      expect(await inner.has('key')).toBe(when === 'after');
    }
  });

  it('fails only the verbs that it is told to, in the middle of a listing too', async () => {
    const driver = new ChaosDriver(new MemoryStorageDriver(), {
      share: 1,
      verbs: ['list'],
      codes: ['ERR_STORAGE_READ'],
    });
    await driver.set('a', 1);
    expect(await driver.get('a')).toBe(1);
    expect(await codeOf(() => collect(driver.list()))).toBe('ERR_STORAGE_READ');
    driver.share = 0;
    expect(await collect(driver.list())).toEqual(['a']);
    driver.share = 1;
    await driver.close();
  });
});

describe('RecorderDriver', () => {
  it('writes down verb and key', async () => {
    const driver = new RecorderDriver(new MemoryStorageDriver());
    await driver.set('a', 1);
    await driver.write('b', text('x'));
    await driver.get('a');
    await collect(driver.list('p'));
    await driver.delete('a');
    await driver.close();
    expect(driver.calls).toEqual([
      { verb: 'set', key: 'a' },
      { verb: 'write', key: 'b' },
      { verb: 'get', key: 'a' },
      { verb: 'list', key: 'p' },
      { verb: 'delete', key: 'a' },
      { verb: 'close', key: '' },
    ]);
    expect(driver.keys('write')).toEqual(['b']);
  });
});
