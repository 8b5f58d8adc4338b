import { Hash } from '@_all_docs/content';
import { createLeaseFlight } from '@_all_docs/registry';
import { systemClock } from '@_all_docs/worker-node';
import {
  BlobCollector,
  BlobReferences,
  BucketBlobBackend,
  LeaseObjects,
  openBucket,
  SharedBlobBackend,
  SharedIntegrities,
} from '@_all_docs/worker-node/object-stores';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collect, utf8 } from '../../../test/contract/_bytes.ts';
import { MemoryBucket } from '../../../test/drivers/memory-bucket.ts';

const HOUR = 3600_000;
const PATH = `blobs/aa/${'a'.repeat(64)}`;

/** A clock that is moved by hand, and by whoever sleeps. */
function clockAt(start = 1_700_000_000_000) {
  let now = start;
  return {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms;
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}
type Clock = ReturnType<typeof clockAt>;

async function* source(text: string) {
  yield utf8(text);
}

async function nodeOf(bucket: MemoryBucket, node: string, clock: Clock) {
  const references = new BlobReferences({ bucket, node, clock });
  const inner = new BucketBlobBackend(bucket, clock);
  const backend = new SharedBlobBackend(inner, references);
  await references.renew();
  return { references, backend, others: new SharedIntegrities({ bucket, backend: inner, references }) };
}

async function world() {
  const clock = clockAt();
  const bucket = new MemoryBucket({ clock });
  const [a, b] = [await nodeOf(bucket, 'node-a', clock), await nodeOf(bucket, 'node-b', clock)];
  const collector = new BlobCollector({ bucket, clock, owner: 'collector' });
  return { clock, bucket, a, b, collector };
}
const blobsOf = (bucket: MemoryBucket) => collect(new BucketBlobBackend(bucket).list('blobs/'));

describe('servers that share a bucket', () => {
  it('keep a blob while one of them refers to it, and collect it when none does', async () => {
    const { clock, bucket, a, b, collector } = await world();
    await a.backend.write(PATH, source('content'));
    await b.references.add(PATH);
    clock.pass(2 * HOUR);
    expect(await collector.run()).toEqual({ blobs: 0, bytes: 0, uploads: 0 });
    await a.backend.delete(PATH);
    expect(await collector.run()).toEqual({ blobs: 0, bytes: 0, uploads: 0 });
    expect(await b.backend.stat(PATH)).toMatchObject({ size: 7 });
    await b.backend.delete(PATH);
    expect(await collector.run()).toEqual({ blobs: 1, bytes: 7, uploads: 0 });
    expect(await b.backend.stat(PATH)).toBeUndefined();
    expect([...bucket.objects.keys()].filter((key) => !key.startsWith('nodes/'))).toEqual([]);
  });

  it('leave what is young, whoever refers to it', async () => {
    const { clock, bucket, a, collector } = await world();
    await a.backend.write(PATH, source('content'));
    await a.backend.delete(PATH);
    clock.pass(HOUR / 2);
    expect(await collector.run()).toMatchObject({ blobs: 0 });
    expect(await blobsOf(bucket)).toEqual([PATH]);
  });

  it('forget a server that was not seen for a week, and hold nothing for it any more', async () => {
    const { clock, bucket, a, b, collector } = await world();
    await a.backend.write(PATH, source('content'));
    clock.pass(8 * 24 * HOUR);
    await b.references.renew();
    expect(await collector.run()).toMatchObject({ blobs: 1 });
    expect([...bucket.objects.keys()]).toEqual(['nodes/node-b']);
  });

  it('take over what another has stored, and hear when it was collected', async () => {
    const { clock, a, b, collector } = await world();
    await a.backend.write(PATH, source('content'));
    const hash = Hash.parse('a'.repeat(64));
    await a.others.publish('sha512-x', { hash, size: 7 });
    expect(await b.others.find('sha512-y')).toBeUndefined();
    expect(await b.others.find('sha512-x')).toEqual({ hash, size: 7 });
    await a.backend.delete(PATH);
    clock.pass(2 * HOUR);
    expect(await collector.run()).toMatchObject({ blobs: 0 });
    await b.backend.delete(PATH);
    expect(await collector.run()).toMatchObject({ blobs: 1 });
    expect(await b.others.find('sha512-x')).toBeUndefined();
    expect(await b.others.find('sha512-x')).toBeUndefined();
  });

  it('give up references that a crash left without a row', async () => {
    const { clock, bucket, a, b, collector } = await world();
    await a.backend.write(PATH, source('content'));
    await b.references.add(PATH);
    clock.pass(2 * HOUR);
    expect(await a.references.tidy(clock.now() - HOUR, async () => true)).toBe(0);
    expect(await a.references.tidy(clock.now() - HOUR, async () => false)).toBe(1);
    expect(await collector.run()).toMatchObject({ blobs: 0 });
    expect(await b.references.tidy(clock.now() - HOUR, async () => false)).toBe(1);
    expect(await collector.run()).toMatchObject({ blobs: 1 });
    expect(await blobsOf(bucket)).toEqual([]);
  });

  it('collect uploads that nobody ended', async () => {
    const { clock, bucket, collector } = await world();
    await bucket.put('tmp/left', utf8('half'));
    expect(await collector.run()).toMatchObject({ uploads: 0 });
    clock.pass(2 * HOUR);
    expect(await collector.run()).toMatchObject({ uploads: 1 });
    expect(await bucket.head('tmp/left')).toBeUndefined();
  });

  it('have one collector at a time; another takes over from one that died, and ends what it began', async () => {
    const { clock, bucket, a } = await world();
    await a.backend.write(PATH, source('content'));
    await a.backend.delete(PATH);
    clock.pass(2 * HOUR);
    // It dies between the tombstone and the deletion.
    const dying = new MemoryBucket({
      clock,
      before: async (call, key) => {
        if (call === 'delete' && key === PATH) await new Promise(() => {});
      },
    });
    for (const [key, held] of bucket.objects) dying.objects.set(key, held);
    void new BlobCollector({ bucket: dying, clock, owner: 'dying' }).run();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const left = new MemoryBucket({ clock });
    for (const [key, held] of dying.objects) left.objects.set(key, held);
    expect([...left.objects.keys()].some((key) => key.startsWith('tombstones/'))).toBe(true);
    const next = new BlobCollector({ bucket: left, clock, owner: 'next' });
    expect(await next.run()).toBeUndefined();
    clock.pass(130_000);
    expect(await next.run()).toMatchObject({ blobs: 1 });
    expect([...left.objects.keys()].filter((key) => !key.startsWith('nodes/'))).toEqual([]);
  });

  it('never lose a blob that one of them refers to, in whatever order the requests of all arrive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), fc.nat(24), async (scheduler, isStored, late) => {
        const clock = { ...clockAt(), sleep: () => scheduler.schedule(Promise.resolve(), 'sleep') };
        const calm = new MemoryBucket({ clock });
        const bucket = new MemoryBucket({
          clock,
          before: (call, key) => scheduler.schedule(Promise.resolve(), `${call} ${key}`),
        });
        const before = await nodeOf(calm, 'node-a', clock as Clock);
        await nodeOf(calm, 'node-b', clock as Clock);
        if (isStored) {
          await before.backend.write(PATH, source('content'));
          await before.others.publish('sha512-x', { hash: Hash.parse('a'.repeat(64)), size: 7 });
          await before.backend.delete(PATH);
        }
        clock.pass(2 * HOUR);
        for (const [key, held] of calm.objects) bucket.objects.set(key, held);
        const references = new BlobReferences({ bucket, node: 'node-b', clock });
        const inner = new BucketBlobBackend(bucket, clock);
        const others = new SharedIntegrities({ bucket, backend: inner, references });
        // A node looks for the blob and stores it when it is not there, while a collector comes by, twice.
        let holds = false;
        const using = async () => {
          for (let i = 0; i < late; i++) await scheduler.schedule(Promise.resolve(), 'late');
          if (!(await others.find('sha512-x')))
            await new SharedBlobBackend(inner, references).write(PATH, source('content'));
          holds = true;
        };
        const collecting = async () => {
          const collector = new BlobCollector({ bucket, clock, owner: 'collector' });
          await collector.run();
          await collector.run();
        };
        await scheduler.waitFor(Promise.all([using(), collecting()]));
        expect(holds).toBe(true);
        expect(bucket.objects.has(PATH)).toBe(true);
        expect([...bucket.objects.keys()].filter((key) => key.startsWith('tombstones/'))).toEqual([]);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

describe('leases in a bucket', () => {
  const row = (value: string | undefined) => ({ key: 'lease', value });

  it('are compared and set; nothing is changed when they were not what was expected', async () => {
    const leases = new LeaseObjects(new MemoryBucket());
    expect(await leases.commit([row('a')], [row(undefined)])).toBe(true);
    expect(await leases.commit([row('b')], [row(undefined)])).toBe(false);
    expect(await leases.commit([row('b')], [row('x')])).toBe(false);
    expect(await leases.get('lease')).toBe('a');
    expect(await leases.commit([row('b')], [row('a')])).toBe(true);
    expect(await leases.commit([row(undefined)], [row('a')])).toBe(false);
    expect(await leases.commit([row(undefined)], [row('b')])).toBe(true);
    expect(await leases.get('lease')).toBeUndefined();
  });

  it('are held though the answer to the write was lost, and the store then says that the condition failed', async () => {
    class Losing extends MemoryBucket {
      override async put(...args: Parameters<MemoryBucket['put']>): Promise<string | undefined> {
        await super.put(...args);
        return super.put(...args);
      }
    }
    const leases = new LeaseObjects(new Losing());
    expect(await leases.commit([row('mine')], [row(undefined)])).toBe(true);
    expect(await leases.commit([row('other')], [row(undefined)])).toBe(false);
    expect(await leases.get('lease')).toBe('mine');
  });

  it('refuse what an object store cannot promise', async () => {
    const leases = new LeaseObjects(new MemoryBucket());
    await expect(leases.commit([row('a'), { key: 'b', value: 'b' }], [row(undefined)])).rejects.toMatchObject({
      code: 'ERR_STORAGE_WRITE',
    });
  });

  it('let one of many do the work, the others after it', async () => {
    const bucket = new MemoryBucket();
    let done = 0;
    let most = 0;
    let running = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      done += 1;
      running -= 1;
    };
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        createLeaseFlight({ ordered: new LeaseObjects(bucket), clock: systemClock, owner: `${i}`, pollMs: 1 })(
          'tarball:x',
          work,
        ),
      ),
    );
    expect({ done, most }).toEqual({ done: 8, most: 1 });
    expect(bucket.objects.size).toBe(0);
  });
});

describe('a URL that names no bucket', () => {
  it.each(['s3://', 's3:///x', 'gs://A', 'http://x/y', 's3://bucket/../x', 's3://bucket/a b'])(
    'is refused: %s',
    async (url) => {
      const options = { env: {}, clock: systemClock, random: Math.random };
      await expect(openBucket(url, options)).rejects.toMatchObject({ code: 'ERR_NO_STORAGE' });
    },
  );
});
