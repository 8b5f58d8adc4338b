import type { StoredEntry } from '@_all_docs/cache';
import { SqliteStorageDriver } from '@_all_docs/worker-node';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf, noise, sameBytes } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

const MEBIBYTE = 1024 * 1024;
let driver: SqliteStorageDriver;
afterEach(() => driver.close());

const entryOf = (length: number, seed = 1): StoredEntry => ({
  body: noise(length, seed),
  metadata: { storedAt: seed, encoding: 'gzip', size: length },
});

/** What a statement gives, by another connection. */
function query(sql: string): unknown[] {
  const database = new DatabaseSync(join(driver.cachePath, 'index.sqlite'));
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}
const places = () =>
  query('SELECT key, place FROM pieces ORDER BY key, place').map((row) => Object.values(row as object));

describe('a large body', () => {
  it.each([MEBIBYTE, MEBIBYTE + 1, 2 * MEBIBYTE, 5 * MEBIBYTE - 1])(
    'of %i bytes is read as it was written',
    async (length) => {
      driver = new SqliteStorageDriver(await temporaryDirectory());
      const entry = entryOf(length);
      await driver.write('a', entry);
      expect(sameBytes((await driver.read('a'))?.body, entry.body)).toBe(true);
      expect((await driver.head('a'))?.size).toBe(length);
      expect(places()).toHaveLength(length > MEBIBYTE ? Math.ceil(length / MEBIBYTE) : 0);
    },
  );

  it('leaves nothing behind when it is replaced or deleted, and everything when it is touched', async () => {
    driver = new SqliteStorageDriver(await temporaryDirectory());
    await driver.write('a', entryOf(3 * MEBIBYTE));
    await driver.write('b', entryOf(2 * MEBIBYTE, 2));
    const other = entryOf(2 * MEBIBYTE, 3);
    await driver.write('a', other);
    await driver.touch('a', { storedAt: 9 });
    expect(places()).toEqual([
      ['a', 0],
      ['a', 1],
      ['b', 0],
      ['b', 1],
    ]);
    expect(sameBytes((await driver.read('a'))?.body, other.body)).toBe(true);
    await driver.write('a', entryOf(10));
    expect(places()).toEqual([
      ['b', 0],
      ['b', 1],
    ]);
    await driver.delete('b');
    expect(places()).toEqual([]);
    expect(await driver.read('b')).toBeUndefined();
  });

  it('that lost a piece, or gained one, is ERR_CORRUPT', async () => {
    driver = new SqliteStorageDriver(await temporaryDirectory());
    await driver.write('a', entryOf(3 * MEBIBYTE));
    await driver.write('b', entryOf(3 * MEBIBYTE));
    query("DELETE FROM pieces WHERE key = 'a' AND place = 1");
    query("UPDATE pieces SET bytes = zeroblob(1048576) WHERE key = 'b' AND place = 2");
    for (const key of ['a', 'b']) expect(await codeOf(() => driver.read(key))).toBe('ERR_CORRUPT');
  });

  it('empty stays empty', async () => {
    driver = new SqliteStorageDriver(await temporaryDirectory());
    await driver.write('a', entryOf(0));
    expect((await driver.read('a'))?.body).toHaveLength(0);
  });
});
