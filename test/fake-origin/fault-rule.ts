import { hashText, mix, unit } from './hash.ts';
import type { Route } from './route.ts';
import type { RequestKind } from './types.ts';

export const FAULTS = [
  '429', '500', '502', '503', 'reset', 'reset-body', 'cut-body', 'html-200', 'html-403', 'html-404', 'rate-limit',
] as const;

export type FaultKind = (typeof FAULTS)[number];

export interface FaultRule {
  fault: FaultKind;
  /** The share of matching requests that are hit; 1. */
  share?: number;
  /** A regular expression on the decoded path, or on the decoded path with its query. */
  path?: string;
  /** All but `control` when absent; `control` is never hit. */
  kinds?: readonly RequestKind[];
  /** At most so often for each path with its query. */
  times?: number;
  /** For 429, 503 and rate-limit: seconds, 'date' (see afterSeconds), or any other text, sent as it is. */
  retryAfter?: string;
  /** For retryAfter 'date': how far ahead the date lies; may be negative; 1. */
  afterSeconds?: number;
  /** For rate-limit: requests let through in any one second. */
  perSecond?: number;
}

interface ActiveRule {
  rule: FaultRule;
  path: RegExp | undefined;
  done: Map<number, number>;
  /** For rate-limit: when the latest requests were let through. */
  passed: number[];
}

/** Throws on anything that is not a list of rules. */
export function checkRules(value: unknown): FaultRule[] {
  if (!Array.isArray(value)) throw new TypeError('faults must be an array of rules');
  for (const rule of value as FaultRule[]) {
    if (!FAULTS.includes(rule?.fault)) throw new TypeError(`unknown fault: ${String(rule?.fault)}`);
    if (rule.share !== undefined && !(rule.share >= 0 && rule.share <= 1)) throw new TypeError('share must be 0..1');
    if (rule.fault === 'rate-limit' && !((rule.perSecond ?? 0) > 0)) throw new TypeError('rate-limit needs perSecond');
    if (rule.path !== undefined) new RegExp(rule.path, 'u');
  }
  return value as FaultRule[];
}

/**
 * Decides which request is hit. The draw depends on (seed, rule, path with query, how often that was asked),
 * so it is the same in any order of requests, and a retry draws anew.
 */
export class FaultBook {
  #seed: number;
  #rules: ActiveRule[] = [];
  #asked = new Map<number, number>();

  constructor(seed: number, rules: readonly FaultRule[]) {
    this.#seed = seed;
    this.set(rules);
  }

  /** Replaces the rules; what was counted for the old ones is forgotten. */
  set(rules: readonly FaultRule[]): void {
    this.#asked.clear();
    this.#rules = checkRules(rules).map((rule) => ({
      rule, path: rule.path === undefined ? undefined : new RegExp(rule.path, 'u'), done: new Map(), passed: [],
    }));
  }

  /** The first rule that hits, if any. */
  choose(route: Route): FaultRule | undefined {
    if (this.#rules.length === 0 || route.kind === 'control') return undefined;
    const [high, low] = [hashText(route.key, this.#seed), hashText(route.key, ~this.#seed)];
    const id = (high & 0xfffff) * 2 ** 32 + low;
    const time = this.#asked.get(id) ?? 0;
    this.#asked.set(id, time + 1);
    return this.#rules.find((active, index) =>
      matches(active, route) && unit(mix(high ^ mix(time * 31 + index))) < (active.rule.share ?? 1)
      && limited(active) && claim(active, id))?.rule;
  }
}

function matches({ rule, path }: ActiveRule, route: Route): boolean {
  if (rule.kinds && !rule.kinds.includes(route.kind)) return false;
  return !path || path.test(route.path) || path.test(route.key);
}

/** For rate-limit: whether the last second is full. A request that is let through counts, a refused one does not. */
function limited({ rule, passed }: ActiveRule): boolean {
  if (rule.fault !== 'rate-limit') return true;
  const now = performance.now();
  while (passed.length > 0 && (passed[0] as number) <= now - 1000) passed.shift();
  if (passed.length >= (rule.perSecond as number)) return true;
  passed.push(now);
  return false;
}

function claim({ rule, done }: ActiveRule, id: number): boolean {
  if (rule.times === undefined) return true;
  const count = done.get(id) ?? 0;
  if (count >= rule.times) return false;
  done.set(id, count + 1);
  return true;
}
