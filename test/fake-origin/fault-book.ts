import type { FaultRule } from './fault-rule.ts';
import { ONLY_KIND } from './fault-rule.ts';
import { hashText, mix, unit } from './hash.ts';
import type { Route } from './route.ts';
import { checkRules } from './rule-check.ts';

interface ActiveRule {
  rule: FaultRule;
  path: RegExp | undefined;
  done: Map<number, number>;
  /** For rate-limit: when the latest requests were let through. */
  passed: number[];
}

/** A rule that hits a request. */
export interface Hit {
  rule: FaultRule;
  /** 32 bits that follow from the seed and the request, for what the fault leaves to chance. */
  draw: number;
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
    const checked = checkRules(rules);
    this.#asked.clear();
    this.#rules = checked.map((rule) => ({
      rule,
      path: rule.path === undefined ? undefined : new RegExp(rule.path, 'u'),
      done: new Map(),
      passed: [],
    }));
  }

  /** The first rule that hits, if any. */
  choose(route: Route): Hit | undefined {
    if (this.#rules.length === 0 || route.kind === 'control') return undefined;
    const [high, low] = [hashText(route.key, this.#seed), hashText(route.key, ~this.#seed)];
    const id = (high & 0xfffff) * 2 ** 32 + low;
    const time = this.#asked.get(id) ?? 0;
    this.#asked.set(id, time + 1);
    for (const [index, active] of this.#rules.entries()) {
      const draw = mix(high ^ mix(time * 31 + index));
      if (!matches(active, route) || unit(draw) >= (active.rule.share ?? 1)) continue;
      // Mixed anew: a draw that passed a small share is a small number.
      if (limited(active) && claim(active, id)) return { rule: active.rule, draw: mix(draw ^ low) };
    }
    return undefined;
  }
}

function matches({ rule, path }: ActiveRule, route: Route): boolean {
  if (rule.kinds && !rule.kinds.includes(route.kind)) return false;
  if ((ONLY_KIND[rule.fault] ?? route.kind) !== route.kind) return false;
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
