import { type WorkItem, workQueue } from '@_all_docs/worker';
import { systemClock } from '@_all_docs/worker-node';
import { BullMQQueue, type BullMQQueueOptions, createBullMQQueue, encodeJobId } from '@_all_docs/worker-node/bullmq';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AWKWARD_NAMES, ILL_FORMED } from '../../../test/contract/names.ts';
import { type RedisServer, startRedis, whyNoRedis } from './_redis.ts';
import { run } from './_spawn.ts';

const item = (id: string, more: Partial<WorkItem> = {}): WorkItem => ({
  type: 'partition',
  id,
  payload: { startKey: 'a', endKey: 'b' },
  priority: 1,
  attempts: 0,
  ...more,
});

describe('encodeJobId', () => {
  it('leaves plain ids as they are', () => {
    for (const id of [
      'partition-a-b',
      'packument:x'.replace(':', '-'),
      '@scope/name',
      'a.b',
      '1a',
      '01',
      '1.5',
      '-',
      'é\u{1f600}',
    ])
      expect(encodeJobId(id)).toBe(id);
  });

  it('gives what BullMQ takes, and no two ids the same', () => {
    const ids = [...AWKWARD_NAMES, ...ILL_FORMED]
      .map(({ text }) => text)
      .concat(
        'wait',
        '%77ait',
        'id',
        'meta',
        '7',
        '%37',
        '-7',
        'NaN',
        '0',
        '00',
        'a%25',
        '\ud83d',
        '%uD83D',
        '\ufffd',
        ':',
        '::',
        '%3A',
      );
    const given = [...new Set(ids)];
    const encoded = given.map(encodeJobId);
    expect(new Set(encoded).size).toBe(given.length);
    for (const jobId of encoded) {
      expect(jobId).not.toContain(':');
      expect(jobId.isWellFormed()).toBe(true);
      expect(String(Number.parseInt(jobId, 10))).not.toBe(jobId);
      expect(['wait', 'id', 'meta', 'active']).not.toContain(jobId);
    }
  });
});

const reason = whyNoRedis();
if (reason) console.log(`BullMQQueue: skipped, ${reason}`);

describe.skipIf(reason)('BullMQQueue', () => {
  let redis: RedisServer;
  let prefix: string;
  let count = 0;
  const open: { close(): Promise<unknown> }[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());
  beforeEach(() => {
    count += 1;
    prefix = `own-${count}`;
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  const connection = () => ({ host: '127.0.0.1', port: redis.port });
  const make = (more: Partial<BullMQQueueOptions> = {}) => {
    const queue = createBullMQQueue({ connection: connection(), prefix, ...more });
    open.push(queue);
    return queue;
  };
  /** The queue as any other program with BullMQ sees it. */
  const seen = () => {
    const queue = new Queue('all-docs-work', { connection: connection(), prefix });
    open.push(queue);
    return queue;
  };

  it('makes jobs as they were agreed on', async () => {
    await make().enqueue(item('partition-a-b', { priority: 3 }));
    const [job] = await seen().getJobs();
    expect(job).toMatchObject({
      id: 'partition-a-b',
      name: 'partition',
      data: item('partition-a-b', { priority: 3 }),
      opts: { attempts: 3, backoff: { type: 'exponential', delay: 2_000 }, priority: 3 },
    });
  });

  it('leaves nothing behind of what is done, and says why something is dead', async () => {
    const queue = make();
    await queue.enqueue(item('done'));
    await queue.enqueue(item('dead', { attempts: 2, priority: 2 }));
    for (let lease = await queue.lease(); lease; lease = await queue.lease()) {
      await (lease.item.id === 'done' ? queue.ack(lease) : queue.fail(lease, new Error('no such package')));
    }
    const jobs = await seen().getJobs();
    expect(jobs.map((job) => [job.id, job.failedReason, job.stacktrace])).toEqual([['dead', 'no such package', []]]);
  });

  it('works over an ioredis instance as it comes, and does not close it', async () => {
    const instance = new Redis({ ...connection(), lazyConnect: false });
    const queue = make({ connection: instance });
    await queue.enqueue(item('a'));
    const lease = await queue.lease();
    expect(lease?.item.id).toBe('a');
    await queue.close();
    expect(await instance.ping()).toBe('PONG');
    const again = make({ connection: instance });
    expect((await again.lease({ waitMs: 1_000 }))?.item.id).toBe('a');
    await again.close();
    expect(await instance.ping()).toBe('PONG');
    instance.disconnect();
  });

  it('closes every connection that it opened', async () => {
    const control = new Redis(connection());
    const clients = async () =>
      String(await control.client('LIST'))
        .trim()
        .split('\n').length;
    const before = await clients();
    for (const own of [connection(), control]) {
      const queue = new BullMQQueue({ connection: own, prefix });
      await queue.enqueue(item('a'));
      await queue.lease();
      expect(await clients()).toBeGreaterThan(before);
      await queue.close();
      await systemClock.sleep(50);
      expect(await clients()).toBe(before);
    }
    const unused = new BullMQQueue({ connection: connection(), prefix });
    await unused.close();
    await systemClock.sleep(50);
    expect(await clients()).toBe(before);
    control.disconnect();
  });

  it('renews leases for as long as they are held', async () => {
    const [holder, other] = [make({ lockMs: 500 }), make({ lockMs: 500 })];
    await holder.enqueue(item('long'));
    const lease = await holder.lease();
    expect(await other.lease({ waitMs: 2_500 })).toBeUndefined();
    if (lease) await holder.ack(lease);
    expect(await other.size()).toEqual({ waiting: 0, leased: 0, dead: 0 });
  });

  it('brings an item back whose process was killed, and gives it up after the third', async () => {
    const queue = make({ lockMs: 400 });
    await queue.enqueue(item('poison', { priority: 2 }));
    // Somebody has to look after the dead.
    const looking = async () => (await queue.lease()) === undefined;
    for (let death = 1; death <= 3; death++) {
      const child = run('./_lessee.ts', [String(redis.port), prefix, '400']);
      await child.said('leased poison');
      expect(await looking()).toBe(true);
      child.kill();
      await child.ended;
      for (let tries = 0; tries < 100 && (await queue.size()).waiting === 0; tries++) await systemClock.sleep(50);
      expect(await queue.size()).toEqual({ waiting: 1, leased: 0, dead: 0 });
    }
    expect(await queue.lease()).toBeUndefined();
    expect(await queue.size()).toEqual({ waiting: 0, leased: 0, dead: 1 });
  });

  it('takes an acknowledgement that comes too late for what it is', async () => {
    const warnings: string[] = [];
    const slow = make({ lockMs: 60_000, logger: { warn: (message) => warnings.push(message) } });
    await slow.enqueue(item('late'));
    const lease = await slow.lease();
    const control = new Redis(connection());
    // As after a long pause of the whole process: the lock is gone and somebody else has the item.
    await control.del(`${prefix}:all-docs-work:late:lock`);
    if (lease) await slow.ack(lease);
    expect(warnings).toEqual([expect.stringContaining('late')]);
    expect((await slow.size()).leased).toBe(1);
    control.disconnect();
  });

  it('is worked off by workQueue', async () => {
    const queue = make({ concurrency: 3 });
    for (let i = 0; i < 20; i++) await queue.enqueue(item(`item-${i}`, { type: 'unknown', attempts: 2 }));
    const done = await workQueue(queue, {} as Parameters<typeof workQueue>[1]);
    expect(done).toEqual({ succeeded: 0, failed: 20 });
    expect(await queue.size()).toEqual({ waiting: 0, leased: 0, dead: 20 });
  });
});
