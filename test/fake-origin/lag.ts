import type { Doc } from './types.ts';

/** How long a changed document is answered as it was before; whichever ends first. */
export interface LagRule {
  /** Requests for that package. */
  requests?: number;
  ms?: number;
}

interface Kept {
  /** As it was; undefined for a name that did not exist: its 404 is kept too. */
  before: Doc | undefined;
  left: number;
  until: number;
}

/**
 * The CDN in front of the registry: after a change the old answer, a 404 too, comes for a while. A URL with a query
 * string is another URL, which the CDN has not kept.
 */
export class Lag {
  #rule: LagRule | undefined;
  #kept = new Map<string, Kept>();

  /** Throws on a rule that is none. `undefined`: no lag; what lags now is let go of. */
  set(rule: LagRule | undefined): void {
    for (const number of [rule?.requests, rule?.ms]) {
      const right = number === undefined || (Number.isSafeInteger(number) && number >= 0);
      if (!right) throw new TypeError('requests and ms of a lag must be whole numbers');
    }
    this.#rule = rule?.requests === undefined && rule?.ms === undefined ? undefined : rule;
    this.#kept.clear();
  }

  /** The name changes now, and was `before`. One that lags already stays as it is: nothing renews what the CDN has. */
  changed(name: string, before: Doc | undefined): void {
    if (!this.#rule || this.#current(name)) return;
    const { requests = Number.POSITIVE_INFINITY, ms = Number.POSITIVE_INFINITY } = this.#rule;
    this.#kept.set(name, { before, left: requests, until: performance.now() + ms });
  }

  /** What this request sees: the document as it is, or as it was. */
  seen(name: string, now: Doc | undefined, hasQuery: boolean): Doc | undefined {
    const kept = hasQuery ? undefined : this.#current(name);
    if (!kept) return now;
    kept.left -= 1;
    return kept.before;
  }

  #current(name: string): Kept | undefined {
    const kept = this.#kept.get(name);
    if (kept && kept.left > 0 && performance.now() < kept.until) return kept;
    this.#kept.delete(name);
    return undefined;
  }
}
