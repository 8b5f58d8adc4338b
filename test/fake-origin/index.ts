export type { Churned, ChurnRule, Removed } from './churn.ts';
export type { FaultKind, FaultRule } from './fault-rule.ts';
export { FAULTS } from './fault-rule.ts';
export type { LagRule } from './lag.ts';
export { NASTY_NAMES } from './nasty.ts';
export type { FakeOrigin } from './server.ts';
export { startFakeOrigin } from './server.ts';
export {
  type FakeOriginOptions,
  type NameCount,
  REMOVALS,
  type RemovalKind,
  type RequestKind,
  type Stats,
} from './types.ts';
