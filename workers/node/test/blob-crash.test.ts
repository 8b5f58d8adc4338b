import { Hash } from '@_all_docs/content';
import { createEnv, createNodeHashers } from '@_all_docs/worker-node';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { collect, randomFrom } from '../../../test/contract/_bytes.ts';
import { temporaryDirectory } from './_directory.ts';
import { run } from './_spawn.ts';

const KILLS = 36;
const REGISTRY = 'https://registry.example.test';

/** Every file below `blobs/`, with the hash of what it holds. */
async function visible(cache: string): Promise<Map<string, string>> {
  const hashers = createNodeHashers();
  const found = new Map<string, string>();
  for (const file of existsSync(join(cache, 'blobs')) ? readdirSync(join(cache, 'blobs'), { recursive: true }) : []) {
    const path = join(cache, 'blobs', `${file}`);
    if (!statSync(path).isFile()) continue;
    const hasher = await hashers.create('blake3');
    const bytes = readFileSync(path);
    await hasher.update(path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes);
    found.set(`${file}`, new Hash(await hasher.digest()).path.slice('blobs/'.length));
  }
  return found;
}

it(`${KILLS} kills at random moments leave whole blobs only, lose none that was acknowledged, and no rubbish`, async () => {
  const cache = join(await temporaryDirectory(), 'cache');
  const next = randomFrom(23);
  const acknowledged = new Set<string>();
  let leftovers = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const writer = run('_blob-writer.ts', [cache, REGISTRY]);
    await writer.said('ready');
    // What the one before left is gone as soon as this one has opened the directory.
    await sleep(next() ** 2 * 150);
    writer.kill();
    const { stdout, stderr } = await writer.ended;
    expect(stderr).toBe('');
    for (const id of stdout.split('\n').slice(1, -1)) acknowledged.add(id);
    leftovers += existsSync(join(cache, 'tmp')) ? readdirSync(join(cache, 'tmp')).length : 0;
  }
  const found = await visible(cache);
  for (const [file, hash] of found) expect(file.replace(/\.zst$/, '')).toBe(hash);
  for (const id of acknowledged) {
    const { path } = Hash.parse(id);
    const file = path.slice('blobs/'.length);
    expect(found.has(file) || found.has(`${file}.zst`), id).toBe(true);
  }
  // The run was worth something: blobs of before the kills, and writes that the kills broke off.
  expect(acknowledged.size).toBeGreaterThan(KILLS);
  expect(leftovers).toBeGreaterThan(0);

  const env = await createEnv({ cache, registry: REGISTRY, origin: REGISTRY });
  try {
    expect(existsSync(join(cache, 'tmp')) ? readdirSync(join(cache, 'tmp')) : []).toEqual([]);
    const listed = (await collect(env.blobs.list())).map(({ path }) => path.slice('blobs/'.length));
    expect(new Set(listed)).toEqual(new Set(found.values()));
    for (const id of acknowledged) {
      const blob = await env.blobs.get(Hash.parse(id));
      expect((await blob?.bytes())?.length).toBe(blob?.size);
    }
    expect(env.blobs.damaged).toBe(0);
  } finally {
    await env.close();
  }
});
