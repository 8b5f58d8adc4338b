import { openBlobs } from '@_all_docs/worker-node';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from './_directory.ts';

const LEFT = '0b9e2f6c-3c5e-4a77-9e0a-2f3f3c1d5e6f';

it('who comes alone to a directory of blobs clears what a crash left there, and nothing else', async () => {
  const [cache, storage] = [await temporaryDirectory(), await temporaryDirectory()];
  mkdirSync(join(storage, 'tmp'));
  for (const name of [LEFT, 'mine.txt']) writeFileSync(join(storage, 'tmp', name), 'x');
  const first = await openBlobs(cache, { storage });
  expect(existsSync(join(storage, 'tmp', LEFT))).toBe(false);
  expect(existsSync(join(storage, 'tmp', 'mine.txt'))).toBe(true);

  // What lies there while somebody works there may be his.
  writeFileSync(join(storage, 'tmp', LEFT), 'x');
  const second = await openBlobs(cache, { storage });
  expect(existsSync(join(storage, 'tmp', LEFT))).toBe(true);
  first.close();
  second.close();
  (await openBlobs(cache, { storage })).close();
  expect(existsSync(join(storage, 'tmp', LEFT))).toBe(false);
});

it("the replica's own directory is told from another one, and is not locked a second time", async () => {
  const cache = await temporaryDirectory();
  const own = await openBlobs(cache);
  const other = await openBlobs(cache, { storage: join(cache, 'elsewhere') });
  expect([own.own, other.own]).toEqual([true, false]);
  expect(existsSync(join(cache, 'lock.sqlite'))).toBe(false);
  own.close();
  other.close();
});
