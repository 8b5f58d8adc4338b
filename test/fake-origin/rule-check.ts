import type { FaultRule } from './fault-rule.ts';
import { FAULTS, ONLY_KIND, STALLS } from './fault-rule.ts';

/** A huge document must have room for what it has anyway. */
const LEAST_BYTES = 10_000;

/** Throws on anything that is not a list of rules. */
export function checkRules(value: unknown): FaultRule[] {
  if (!Array.isArray(value)) throw new TypeError('faults must be an array of rules');
  for (const rule of value as FaultRule[]) checkRule(rule);
  return value as FaultRule[];
}

function checkRule(rule: FaultRule): void {
  const { fault, share, path, kinds } = rule ?? {};
  need(FAULTS.includes(fault), `unknown fault: ${String(fault)}`);
  need(share === undefined || (share >= 0 && share <= 1), 'share must be 0..1');
  const only = ONLY_KIND[fault];
  need(!only || !kinds || kinds.includes(only), `${fault} hits only ${only}`);
  checkNeeded(rule);
  checkNumbers(rule);
  if (path !== undefined) new RegExp(path, 'u');
}

function checkNeeded({ fault, perSecond, by, to, at }: FaultRule): void {
  if (fault === 'rate-limit') need((perSecond ?? 0) > 0, 'rate-limit needs perSecond');
  if (fault === 'wrong-length')
    need(Number.isSafeInteger(by) && by !== 0, 'wrong-length needs by, a whole number but 0');
  if (fault === 'redirect-host' || fault === 'tarball-host')
    need(isAbsolute(to), `${fault} needs to, an absolute http(s) URL`);
  need(at === undefined || STALLS.includes(at), `at must be one of ${STALLS.join()}`);
}

function checkNumbers({ msPerChunk, chunkBytes, bytes, rows }: FaultRule): void {
  for (const [name, number, least] of [
    ['msPerChunk', msPerChunk, 0],
    ['chunkBytes', chunkBytes, 1],
    ['bytes', bytes, LEAST_BYTES],
    ['rows', rows, 0],
  ] as const) {
    need(
      number === undefined || (Number.isSafeInteger(number) && number >= least),
      `${name} must be a whole number from ${least} up`,
    );
  }
}

function isAbsolute(url: string | undefined): boolean {
  return /^https?:\/\//.test(url ?? '') && URL.canParse(url as string);
}

function need(holds: boolean, message: string): void {
  if (!holds) throw new TypeError(message);
}
