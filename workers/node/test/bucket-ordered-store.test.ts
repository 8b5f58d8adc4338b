import { systemClock } from '@_all_docs/worker-node';
import { BucketOrderedStore, GCSBucket } from '@_all_docs/worker-node/object-stores';
import { Storage } from '@google-cloud/storage';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../../test/contract/_bytes.ts';
import { orderedStoreContract } from '../../../test/contract/ordered-store.ts';
import { MemoryBucket } from '../../../test/drivers/memory-bucket.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';

const clock = systemClock;
const buckets = new Map<unknown, MemoryBucket | GCSBucket>();

function open(bucket: MemoryBucket | GCSBucket, more: object = {}): BucketOrderedStore {
  const store = new BucketOrderedStore({ bucket, clock, ...more });
  buckets.set(store, bucket);
  return store;
}
const reopen = (store: unknown) => open(buckets.get(store) as MemoryBucket);

orderedStoreContract({
  name: 'BucketOrderedStore that writes all rows down every third commit',
  create: () => open(new MemoryBucket(), { compactEvery: 3 }),
  reopen,
});

const why = whyNoGCS();
describe.skipIf(why)(`GCS${why ? ` (off: ${why})` : ''}`, () => {
  let server: GCSServer;
  beforeAll(async () => {
    server = await startGCS();
  });
  afterAll(() => server?.stop());

  orderedStoreContract({
    name: 'BucketOrderedStore in GCS',
    create: async () => {
      const storage = new Storage({ apiEndpoint: server.endpoint, projectId: 'test' });
      return open(
        new GCSBucket({ bucket: await server.bucket(), storage, clock, random: Math.random, patienceMs: 5_000 }),
      );
    },
    reopen,
  });
});

const row = (key: string, value: string | undefined) => ({ key, value });

describe('several instances on one bucket', () => {
  it('add up what each of them counts, though all rows are written down meanwhile', async () => {
    const bucket = new MemoryBucket({ before: () => new Promise((resolve) => setTimeout(resolve, Math.random() * 3)) });
    const stores = Array.from({ length: 4 }, () => open(bucket, { compactEvery: 5 }));
    const add = async (store: BucketOrderedStore) => {
      for (;;) {
        const held = await store.get('sum');
        if (await store.commit([row('sum', String(Number(held ?? 0) + 1))], [row('sum', held)])) return;
      }
    };
    await Promise.all(stores.flatMap((store) => Array.from({ length: 10 }, () => add(store))));
    expect(await open(bucket).get('sum')).toBe('40');
  });

  it('hear of each commit, however soon it follows the one before', async () => {
    const store = open(new MemoryBucket());
    for (let pause = 0; pause < 40; pause++) {
      await store.commit([row('a', String(pause))]);
      for (let i = 0; i < pause; i++) await Promise.resolve();
      expect(await store.commit([row('b', String(pause))])).toBe(true);
    }
  });

  it('are refused by the rows as they are, not as they were when they looked last', async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [open(bucket, { staleMs: 3600_000 }), open(bucket, { staleMs: 3600_000 })];
    await a.commit([row('lease', 'a')]);
    expect(await b.get('lease')).toBe('a');
    await a.commit([row('lease', 'a again')]);
    expect(await b.get('lease')).toBe('a');
    expect(await b.commit([row('lease', 'b')], [row('lease', 'a')])).toBe(false);
    expect(await b.get('lease')).toBe('a again');
    expect(await b.commit([], [row('lease', 'a again')])).toBe(true);
    await a.commit([row('lease', undefined)]);
    expect(await b.commit([row('lease', 'b')], [row('lease', undefined)])).toBe(true);
  });

  it('take a commit for made though its answer was lost, and make it once', async () => {
    class Losing extends MemoryBucket {
      override async put(...args: Parameters<MemoryBucket['put']>): Promise<string | undefined> {
        await super.put(...args);
        return super.put(...args);
      }
    }
    const bucket = new Losing();
    const store = open(bucket);
    expect(await store.commit([row('a', '1')], [row('a', undefined)])).toBe(true);
    expect(await store.commit([row('a', '2')], [row('a', undefined)])).toBe(false);
    expect((await collect(bucket.list('rows/log/'))).length).toBe(1);
  });

  it('who slept for a day go on from what was written down, not from where they were', async () => {
    let now = 1_700_000_000_000;
    const moved = { now: () => now, sleep: async () => {} };
    const bucket = new MemoryBucket({ clock: moved });
    const [sleeper, busy] = [0, 1].map(() => new BucketOrderedStore({ bucket, clock: moved, compactEvery: 4 })) as [
      BucketOrderedStore,
      BucketOrderedStore,
    ];
    await sleeper.commit([row('from', 'sleeper')]);
    for (let i = 0; i < 40; i++) {
      now += 3600_000;
      await busy.commit([row(`busy:${i}`, String(i))]);
    }
    expect((await collect(bucket.list('rows/'))).length).toBeLessThan(15);
    expect(await sleeper.commit([row('from', 'awake')], [row('from', 'sleeper'), row('busy:39', '39')])).toBe(true);
    expect((await collect(open(bucket).list())).length).toBe(41);
    expect(await busy.get('from')).toBe('sleeper');
    now += 2_000;
    expect(await busy.get('from')).toBe('awake');
  });

  it('agree on one order, in whatever order their requests arrive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const bucket = new MemoryBucket({ before: (call) => scheduler.schedule(Promise.resolve(), call) });
        const stores = [0, 1, 2].map(() => open(bucket, { compactEvery: 2 }));
        const claims = stores.flatMap((store, i) =>
          [0, 1, 2].map((lease) =>
            store.commit(
              [row(`lease:${lease}`, String(i)), row(`won:${lease}:${i}`, '')],
              [row(`lease:${lease}`, undefined)],
            ),
          ),
        );
        const won = (await scheduler.waitFor(Promise.all(claims))).filter(Boolean);
        expect(won).toHaveLength(3);
        const rows = scheduler.waitFor(collect(open(bucket).list()));
        const all = await rows;
        for (const [key, owner] of all)
          if (key.startsWith('lease:')) expect(all).toContainEqual([`won:${key.slice(6)}:${owner}`, '']);
        expect(all).toHaveLength(6);
      }),
      { numRuns: 100, seed: 3 },
    );
  });
});
