import { MemoryQueue } from '@_all_docs/worker';
import { systemClock } from '@_all_docs/worker-node';
import { BullMQQueue } from '@_all_docs/worker-node/bullmq';
import { afterAll } from 'vitest';
import { workQueueContract } from '../../../test/contract/work-queue.ts';
import { TestClock } from './_clock.ts';
import { type RedisServer, startRedis, whyNoRedis } from './_redis.ts';

workQueueContract({
  name: 'MemoryQueue',
  create: ({ concurrency }) => {
    const clock = new TestClock();
    return {
      queue: new MemoryQueue(clock, { concurrency, intervalCap: Number.POSITIVE_INFINITY }),
      pass: (ms) => clock.pass(ms),
    };
  },
});

const reason = whyNoRedis();
if (reason) {
  console.log(`BullMQQueue: skipped, ${reason}`);
} else {
  const redis: RedisServer = await startRedis();
  afterAll(() => redis.stop());
  let count = 0;
  workQueueContract({
    name: 'BullMQQueue',
    create: ({ concurrency }) => {
      count += 1;
      const open = () =>
        new BullMQQueue({
          connection: { host: '127.0.0.1', port: redis.port },
          prefix: `contract-${count}`,
          concurrency,
        });
      return { queue: open(), another: open, pass: (ms) => systemClock.sleep(ms) };
    },
    traits: { onceWhileLeased: { reason: 'an id is in Redis once, whether it waits or is leased' } },
  });
}
