/** @module What the worker does besides answering from its stores: a module of its own, loaded at first need. */

export { consume } from './consume.js';
export { answerOther } from './other.js';
export { Replica } from './replica.js';
export { streaming, transport } from './transports.js';
export { doWork } from './work.js';
export { WorkItems } from './work-items.js';
