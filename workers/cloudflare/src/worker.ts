/** @module The worker that `wrangler deploy` puts in place. */
import { createCore } from './core.js';
import { createWorker } from './create-worker.js';

export { ReplicaObject } from './replica-object.js';

const { handler, WorkQueueObject } = createWorker(createCore);

export { WorkQueueObject };
export default handler;
