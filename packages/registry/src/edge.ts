/** @module The npm registry protocol at the edge: without an ordered store, and without waiting for others. */
export type { EdgeEnv, EdgeOptions, Removals } from './edge-env.js';
export { EdgeRegistry } from './edge-registry.js';
