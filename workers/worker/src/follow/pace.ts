import type { Env } from '../interfaces.js';

/** What is left to clients and to reconciling: fetching behind never takes the last of a month's requests. */
const SHARE = 0.9;

/** How many requests of the next `ms` the month's budget allows; at least one where any is left. */
export async function pace({ budget, clock }: Pick<Env, 'budget' | 'clock'>, ms: number): Promise<number> {
  if (!budget) return Number.POSITIVE_INFINITY;
  const left = budget.limit * SHARE - (await budget.used());
  if (left <= 0) return 0;
  const now = new Date(clock.now());
  const nextMonth = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
  return Math.max(1, Math.floor((left * ms) / (nextMonth - now.getTime())));
}
