import { openStorage, reclaimSpace } from '@_all_docs/worker-node';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { noise } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';

const KEYS = Array.from({ length: 40 }, (_, i) => `v1:packument:npm:${(0x61 + i).toString(16)}`);
const HOUR = 3_600_000;

function bodiesIn(path: string): string[] {
  const files = readdirSync(join(path, 'content-v2'), { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile()).map(({ name }) => name);
}

async function filled(kind: 'cacache' | 'sqlite') {
  const storage = await openStorage(await temporaryDirectory(), { kind });
  for (const [i, key] of KEYS.entries()) {
    const body = noise(20_000, i);
    await storage.write(key, { body, metadata: { storedAt: 1, encoding: 'identity', size: body.length } });
  }
  return storage;
}

it('cacache: bodies that no row refers to go, all others stay, and so do young ones', async () => {
  const storage = await filled('cacache');
  for (const key of KEYS.slice(10)) await storage.delete(key);
  await reclaimSpace(storage, Date.now() - HOUR);
  expect(bodiesIn(storage.cachePath).length).toBe(40);
  await reclaimSpace(storage, Date.now() + HOUR);
  expect(bodiesIn(storage.cachePath).length).toBe(10);
  for (const key of KEYS.slice(0, 10)) expect((await storage.read(key))?.body.length).toBe(20_000);
  await storage.close();
});

it('sqlite: the file shrinks when most of it is free', async () => {
  const storage = await filled('sqlite');
  const size = () => statSync(join(storage.cachePath, 'index.sqlite')).size;
  await reclaimSpace(storage, Date.now());
  for (const key of KEYS.slice(4)) await storage.delete(key);
  await reclaimSpace(storage, Date.now());
  expect(size()).toBeLessThan(20 * 20_000);
  expect((await storage.read(KEYS[0] as string))?.body.length).toBe(20_000);
  await storage.close();
});
