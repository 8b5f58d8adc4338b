import {
  Cache,
  createPackumentKey,
  createPartitionKey,
  createStorageDriver,
  type DecodedKey,
  decodeCacheKey,
  MemoryStorageDriver,
  type StorageDriver,
} from '@_all_docs/cache';
import { PartitionCheckpoint, type PartitionProgress } from '@_all_docs/checkpoint';
import { BaseHTTPClient, type RegistryResponse } from '@_all_docs/http';
import { PackumentClient } from '@_all_docs/packument';
import { Partition, PartitionClient, PartitionSet } from '@_all_docs/partition';
import {
  createQueue,
  createStorageDriver as createStorageDriverOfWorker,
  type Env,
  processPartition,
  type WorkItem,
  type WorkQueue,
  type WorkResult,
} from '@_all_docs/worker';
import { createEnv, type DirectoryDriver, type NodeEnv, NodeStorageDriver } from '@_all_docs/worker-node';
import cacache from 'cacache';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { tempDir } from './cli.ts';
import { namesBetween, startFake, truth } from './replica.ts';

let fake: FakeOrigin;
let origin: string;
let registry: string;
let env: NodeEnv;

beforeAll(async () => {
  fake = await startFake({ packages: 600, seed: 91 });
  fake.publish('express');
  fake.publish('express-session');
  fake.publish('@scope/name');
  origin = fake.url;
  registry = fake.url;
  env = await createEnv({ cache: tempDir(), origin, registry, rate: Number.POSITIVE_INFINITY });
});
afterAll(() => env.close());

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('keys', () => {
  it('are made and taken apart', () => {
    expect(createPartitionKey(null, 'a')).toBe('v1:partition:npm::61');
    expect(createPartitionKey('a', 'ab')).toBe('v1:partition:npm:61:6162');
    expect(createPackumentKey('@a/b', origin)).toBe(`v1:packument:${encodeURIComponent(origin)}:40612f62`);
    expect(decodeCacheKey(createPartitionKey(null, 'a'))).toEqual({
      version: 'v1',
      type: 'partition',
      origin: 'npm',
      startKey: null,
      endKey: 'a',
    });
    expect(decodeCacheKey(createPackumentKey('@a/b', origin))).toEqual({
      version: 'v1',
      type: 'packument',
      origin,
      packageName: '@a/b',
    });
    expectTypeOf(createPartitionKey).parameters.toEqualTypeOf<[string | null, string | null, (string | undefined)?]>();
    expectTypeOf(createPackumentKey).parameters.toEqualTypeOf<[string, (string | undefined)?]>();
    const decoded = decodeCacheKey(createPackumentKey('a'));
    expectTypeOf(decoded).toEqualTypeOf<DecodedKey>();
    if (decoded.type === 'partition') expectTypeOf(decoded.startKey).toEqualTypeOf<string | null>();
    else expectTypeOf(decoded.packageName).toEqualTypeOf<string>();
  });
});

describe('createEnv', () => {
  it('binds the core to Node', async () => {
    const env = await createEnv({ cache: tempDir(), origin, registry });
    expectTypeOf(env).toExtend<Env>();
    expectTypeOf(env.storage).toEqualTypeOf<DirectoryDriver>();
    expect(env).toMatchObject({ origin, registry });
    expect(typeof env.clock.now()).toBe('number');
    expect(env.random()).toBeLessThan(1);
    await env.close();
  });
});

describe('clients', () => {
  it('PartitionClient lists a range', async () => {
    const client = new PartitionClient({ env });
    const result = await client.request({
      startKey: 'express',
      endKey: 'express-z',
    });
    const { rows } = result.json();
    expect(rows.map(({ id }: { id: string }) => id)).toEqual(namesBetween(fake, 'express', 'express-z'));
    expect(rows).toContainEqual({ id: 'express', key: 'express', value: { rev: fake.rev('express') } });
    expect(result.statusCode).toBe(200);
    expect(result.headers['content-type']).toBe('application/json');
    expectTypeOf(result).toEqualTypeOf<RegistryResponse>();
    expectTypeOf(result.statusCode).toEqualTypeOf<number>();
    expectTypeOf(result.headers).toEqualTypeOf<Record<string, string>>();
  });

  it('PartitionClient keeps what it lists under the partition key', async () => {
    const client = new PartitionClient({ env });
    await client.request({ startKey: 'express', endKey: 'express-z' });
    fake.resetStats();
    await client.request({ startKey: 'express', endKey: 'express-z' });
    expect(fake.stats().requests).toBe(0);
    const key = createPartitionKey('express', 'express-z', origin);
    expect(await env.storage.has(key)).toBe(true);
  });

  it.each(['/express', 'express', '@scope/name', '/@scope/name', '/@scope%2fname'])(
    'PackumentClient fetches %s',
    async (path) => {
      const packument = await new PackumentClient({ env }).request(path);
      const name = path.includes('scope') ? '@scope/name' : 'express';
      expect(packument.json()).toEqual(fake.packument(name));
      expect(packument.text()).toBe((await truth(fake, name)).text);
      expect(packument.statusCode).toBe(200);
      expectTypeOf(packument).toEqualTypeOf<RegistryResponse>();
      expect(await env.storage.has(createPackumentKey(name, registry))).toBe(true);
    },
  );

  it('a 404 is an answer', async () => {
    const client = new PackumentClient({ env });
    const packument = await client.request('/not-in-there-at-all');
    expect(packument.statusCode).toBe(404);
    expect(packument.ok).toBe(false);
  });

  it('BaseHTTPClient asks like undici', async () => {
    const client = new BaseHTTPClient(env);
    const response = await client.request('/', { method: 'GET', headers: { accept: 'application/json' } });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ doc_count: fake.count });
  });
});

describe('cache', () => {
  it('createStorageDriver gives env.storage, from both homes', async () => {
    const driver = await createStorageDriver(env);
    expect(driver).toBe(env.storage);
    expect(await createStorageDriverOfWorker(env)).toBe(driver);
    expect(createStorageDriverOfWorker).toBe(createStorageDriver);
    expectTypeOf(driver).toExtend<StorageDriver>();
    await expect(createStorageDriver({})).rejects.toMatchObject({ code: 'ERR_NO_STORAGE' });
  });

  it('keeps values', async () => {
    const driver = await createStorageDriver(env);
    const cache = new Cache({ driver });
    await cache.set('key', 'value');
    const cached = await cache.get('key');
    expect(cached).toBe('value');
    expect(await cache.get('no such key')).toBeUndefined();
    const typed = await cache.get<{ n: number }>('typed');
    expectTypeOf(typed).toEqualTypeOf<{ n: number } | undefined>();
  });

  it("NodeStorageDriver is npm's cacache: get, set, has, delete, list", async () => {
    const cachePath = tempDir();
    const driver = new NodeStorageDriver(cachePath);
    await driver.set('v1:test:a', { hello: 'wörld' });
    await driver.set('v1:test:b', null);
    await driver.set('v1:other:c', 3);
    expect(await driver.get('v1:test:a')).toEqual({ hello: 'wörld' });
    expect(await driver.get('v1:test:b')).toBeNull();
    expect(await driver.get('v1:test:z')).toBeUndefined();
    expect([await driver.has('v1:test:a'), await driver.has('v1:test:z')]).toEqual([true, false]);
    expect(await collect(driver.list('v1:test:'))).toEqual(['v1:test:a', 'v1:test:b']);
    // As the first of all drivers read it: plain JSON.
    const { data } = await cacache.get(cachePath, 'v1:test:a');
    expect(JSON.parse(data.toString('utf8'))).toEqual({ hello: 'wörld' });
    await driver.delete('v1:test:a');
    await driver.delete('v1:test:a');
    expect(await driver.get('v1:test:a')).toBeUndefined();
    await driver.close();
  });
});

describe('partitions', () => {
  it('Partition.fromPivots: null ends are always there, once', () => {
    const partitions = Partition.fromPivots(['a', 'b', 'c']);
    expect(partitions.map(String)).toEqual(['[null-a]', '[a-b]', '[b-c]', '[c-null]']);
    expect(Partition.fromPivots([null, 'a', 'b', 'c', null]).map(String)).toEqual(partitions.map(String));
    expect(partitions.map(({ startKey, endKey }) => ({ startKey, endKey }))).toEqual([
      { startKey: null, endKey: 'a' },
      { startKey: 'a', endKey: 'b' },
      { startKey: 'b', endKey: 'c' },
      { startKey: 'c', endKey: null },
    ]);
    expectTypeOf(partitions).toEqualTypeOf<Partition[]>();
  });

  it('the example pivots make the example partitions', () => {
    const pivots = ['a', 'ab', 'abc', 'b', 'c', 'd'];
    expect(
      Partition.fromPivots(pivots)
        .slice(1, 4)
        .map(({ startKey, endKey }) => ({ startKey, endKey })),
    ).toEqual([
      { startKey: 'a', endKey: 'ab' },
      { startKey: 'ab', endKey: 'abc' },
      { startKey: 'abc', endKey: 'b' },
    ]);
  });

  it('PartitionSet.fromPivots', () => {
    const set = PartitionSet.fromPivots(origin, ['a', 'b']);
    expect([...set].map(String)).toEqual(['[null-a]', '[a-b]', '[b-null]']);
    expect(set.length).toBe(3);
    expect([...set].every((partition) => partition.origin === origin)).toBe(true);
  });
});

describe('work', () => {
  const workItem = {
    type: 'partition',
    id: 'partition-a-b',
    payload: { startKey: 'a', endKey: 'b' },
    priority: 1,
    attempts: 0,
  };

  it('createQueue takes work items', async () => {
    const queue = createQueue(env);
    expectTypeOf(queue).toEqualTypeOf<WorkQueue>();
    await queue.enqueue({
      type: 'partition',
      id: 'partition-a-b',
      payload: { startKey: 'a', endKey: 'b' },
      priority: 1,
      attempts: 0,
    });
    await queue.enqueue({ ...workItem, id: 'partition-b-c', priority: 2 });
    await queue.enqueue({ ...workItem, id: 'urgent' });
    const leases = [await queue.lease(), await queue.lease(), await queue.lease()];
    expect(leases.map((lease) => lease?.item.id)).toEqual(['partition-a-b', 'urgent', 'partition-b-c']);
    for (const lease of leases) if (lease) await queue.ack(lease);
    expect(await queue.size()).toEqual({ waiting: 0, leased: 0, dead: 0 });
    await queue.close();
  });

  it('processPartition: success with rows, or failure with a message', async () => {
    expectTypeOf(workItem).toExtend<WorkItem<{ startKey: string | null; endKey: string | null }>>();
    const result = await processPartition(workItem, env);
    expectTypeOf(result).toEqualTypeOf<WorkResult>();
    expect(result).toEqual({ success: true, rows: namesBetween(fake, 'a', 'b').length });
    expect(await processPartition({ ...workItem, payload: { startKey: 'b', endKey: 'a' } }, env)).toMatchObject({
      success: false,
      error: expect.any(String),
      code: 'ERR_BAD_RANGE',
    });
  });
});

describe('checkpoint', () => {
  it('tracks progress to two decimals', async () => {
    const driver = await createStorageDriver(env);
    const cache = new Cache({ driver });
    const partitions = Partition.fromPivots(['a', 'b']);
    const checkpoint = new PartitionCheckpoint(cache, 'set-1');
    await checkpoint.recordPartitions(partitions);
    await checkpoint.markComplete(0, { rows: 100 });
    const progress = await checkpoint.getProgress();
    expect(progress).toMatchObject({ percentComplete: 33.33, stats: { completed: 1, total: 3 } });
    expectTypeOf(progress).toEqualTypeOf<PartitionProgress>();
    // Nothing of it lives among the entries.
    expect((await collect(driver.list())).filter((key) => key.includes('checkpoint'))).toEqual([]);
    // A second one on the same cache sees the same.
    expect(await new PartitionCheckpoint(cache, 'set-1').getProgress()).toEqual(progress);
  });

  it('works over any driver with an ordered store, and refuses one without', async () => {
    const checkpoint = new PartitionCheckpoint(new Cache({ driver: new MemoryStorageDriver() }), 'set-1');
    await checkpoint.recordPartitions(Partition.fromPivots(['a', 'b']));
    await checkpoint.markComplete(2);
    expect((await checkpoint.getProgress()).percentComplete).toBe(33.33);
    class Bare extends MemoryStorageDriver {
      override readonly ordered = undefined as never;
    }
    expect(() => new PartitionCheckpoint(new Cache({ driver: new Bare() }), 'set-1')).toThrow(
      expect.objectContaining({ code: 'ERR_NO_INDEX' }),
    );
  });
});
