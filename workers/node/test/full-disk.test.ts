import { NodeStorageDriver } from '@_all_docs/worker-node';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, collect, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';
import { mountSmallDisk } from './_small-disk.ts';

const { path, missing, unmount } = await mountSmallDisk();

describe.skipIf(missing)('a full disk', () => {
  const entry = (i: number, size: number) => {
    const body = noise(size, i);
    return { body, metadata: { storedAt: i, encoding: 'identity' as const, size: body.length } };
  };
  const SIZES = [50_000, 3_000];
  let driver: NodeStorageDriver;
  const stored = new Map<string, { seed: number; size: number }>();
  beforeAll(() => {
    driver = new NodeStorageDriver(path);
  });
  afterAll(async () => {
    await driver.close();
    unmount();
  });

  const checkAll = async () => {
    for (const [key, { seed, size }] of stored) {
      expect(sameBytes((await driver.read(key))?.body, noise(size, seed)), key).toBe(true);
    }
    expect(await collect(driver.list())).toEqual([...stored.keys()].sort());
    expect(driver.missingBodies).toBe(0);
  };

  it('ends writes with ERR_DISK_FULL; what was acknowledged is whole', async () => {
    let seed = 0;
    for (const size of SIZES) {
      for (let failures = 0; failures < 3; ) {
        seed += 1;
        const key = `key ${String(seed).padStart(5, '0')}`;
        const code = await codeOf(() => driver.write(key, entry(seed, size)));
        if (code === undefined) stored.set(key, { seed, size });
        else {
          expect(code).toBe('ERR_DISK_FULL');
          expect(await driver.read(key)).toBeUndefined();
          failures += 1;
        }
      }
    }
    expect(stored.size).toBeGreaterThan(20);
    await checkAll();
  });

  it('does not harm an entry whose replacement found no room', async () => {
    const [key] = stored.keys();
    expect(await codeOf(() => driver.write(key as string, entry(99_999, 200_000)))).toBe('ERR_DISK_FULL');
    await checkAll();
  });

  it('can still be read by the next process', async () => {
    await driver.close();
    await checkAll();
  });

  it('is over when there is room again', async () => {
    execFileSync('mount', ['-o', 'remount,size=16m', path]);
    await driver.write('z after', entry(77_777, 50_000));
    stored.set('z after', { seed: 77_777, size: 50_000 });
    await checkAll();
  });
});

describe.skipIf(missing)('a disk without room for anything', () => {
  it('is ERR_DISK_FULL at the start', async () => {
    const full = await temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', full]);
    const driver = new NodeStorageDriver(full);
    try {
      expect(await codeOf(() => driver.openDirectory())).toBe('ERR_DISK_FULL');
    } finally {
      await driver.close();
      execFileSync('umount', [full]);
    }
  });
});
