/** Leases one item from the queue in Redis, says so, and never comes to an end by itself. */
import { BullMQQueue } from '@_all_docs/worker-node/bullmq';

const [port, prefix = '', lockMs] = process.argv.slice(2);
const queue = new BullMQQueue({
  connection: { host: '127.0.0.1', port: Number(port) },
  prefix,
  lockMs: Number(lockMs),
});
const lease = await queue.lease({ waitMs: 30_000 });
console.log(lease ? `leased ${lease.item.id}` : 'nothing');
process.stdin.resume();
