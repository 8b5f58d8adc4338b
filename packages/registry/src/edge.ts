/** @module The npm registry protocol at the edge: without an ordered store, and without waiting for others. */
export { type Answer, type AnswerRequest, errorAnswer, jsonAnswer, toResponse } from './answer.js';
export { targetOf } from './dispatch.js';
export type { EdgeEnv, EdgeOptions, Removals } from './edge-env.js';
export { EdgeRegistry } from './edge-registry.js';
export { acceptsGzip } from './negotiate.js';
export { markOf as formMark } from './rendition.js';
