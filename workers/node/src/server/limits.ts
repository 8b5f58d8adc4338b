import type { ServerLimits } from './types.js';

const DEFAULTS: Limits = {
  headerBytes: 16 * 1024,
  targetLength: 8_192,
  bodyBytes: 10 * 1024 * 1024,
  headersMs: 15_000,
  requestMs: 60_000,
  stallMs: 120_000,
  keepAliveMs: 65_000,
  connections: 10_000,
};

/** All bounds, with a value each. */
export type Limits = { [Name in keyof ServerLimits]-?: number };

export function withDefaults(given: ServerLimits = {}): Limits {
  const limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) limits[name] = given[name] ?? DEFAULTS[name];
  return limits;
}
