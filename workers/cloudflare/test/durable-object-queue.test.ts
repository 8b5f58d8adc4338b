import { DurableObjectQueue } from '@_all_docs/worker-cloudflare';
import { env } from 'cloudflare:workers';
import { workQueueContract } from '../../../test/contract/work-queue.ts';
import { testClock } from './_clock.ts';

const POLL_MS = 10;
let count = 0;

workQueueContract({
  name: 'DurableObjectQueue',
  create: ({ concurrency }) => {
    count += 1;
    const name = `contract-${count}`;
    const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const clock = { now: testClock.now, sleep };
    const open = () => new DurableObjectQueue(env.WORK_QUEUE, { name, concurrency, pollMs: POLL_MS, clock });
    return {
      queue: open(),
      another: open,
      pass: (ms) => {
        testClock.pass(ms);
        return sleep(5 * POLL_MS);
      },
    };
  },
});
