/** @module The Durable Objects, to be exported by the worker that binds them. */
export { ReplicaObject } from './replica-object.js';
export { WorkQueueObject } from './work-queue-object.js';
