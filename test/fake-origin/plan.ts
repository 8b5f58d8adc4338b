import { hashText, mix, unit } from './hash.ts';
import type { Doc } from './types.ts';

/** Versions of the first generation were published before this moment, later ones a minute apart after it. */
const EPOCH = Date.UTC(2026, 10, 1);
const OLDEST = Date.UTC(2011, 0, 1);
const MINUTE = 60_000;
const MEDIAN = 5000;
// ln(50 KB / 5 KB) / 1.2816 is 1.80; a little more brings p99 to about 370 KB.
const SIGMA = 1.85;
const CAP = 100_000_000;
const VERSION_BYTES = 1500;
const LARGEST_SMALL = 2300;

/** The outline of a document: cheap to make, enough to know its versions and dates. */
export interface Plan {
  hash: number;
  /** The size that the whole JSON text should have, roughly. */
  target: number;
  /** How many versions it has now, and had at the start. */
  versions: number;
  firstVersions: number;
  /** 0: versions begin at 0.0.1; 1: at 1.0.0. */
  major: number;
  created: number;
}

export function planOf(doc: Doc, seed: number, sizes: 'long-tail' | 'small'): Plan {
  const hash = hashText(doc.name, seed);
  const target = sizes === 'small' ? 900 + (mix(hash + 1) % (LARGEST_SMALL - 900)) : longTail(hash);
  const firstVersions = Math.max(1, Math.round((target * 0.85) / VERSION_BYTES));
  const created = OLDEST + unit(mix(hash + 3)) * 0.97 * (EPOCH - OLDEST);
  return { hash, target, firstVersions, versions: firstVersions + doc.added, major: mix(hash + 4) % 2, created };
}

/** Lognormal, by Box and Muller. */
function longTail(hash: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - unit(mix(hash + 1))));
  const normal = radius * Math.cos(2 * Math.PI * unit(mix(hash + 2)));
  return Math.min(CAP, Math.round(MEDIAN * Math.exp(SIGMA * normal)));
}

/** The `index`-th version's number. */
export function versionAt(plan: Plan, index: number): string {
  const n = index + (plan.major === 0 ? 1 : 0);
  return `${plan.major + Math.floor(n / 100)}.${Math.floor(n / 10) % 10}.${n % 10}`;
}

/** The place of a version number, or -1. */
export function versionIndex(plan: Plan, version: string): number {
  const match = /^(\d{1,6})\.(\d)\.(\d)$/.exec(version);
  if (!match) return -1;
  const n = (Number(match[1]) - plan.major) * 100 + Number(match[2]) * 10 + Number(match[3]);
  const index = n - (plan.major === 0 ? 1 : 0);
  return index >= 0 && index < plan.versions && versionAt(plan, index) === version ? index : -1;
}

/** The places of the versions that are there, oldest first. */
export function livePlaces(plan: Plan, { withdrawn = [] }: Doc): number[] {
  return Array.from({ length: plan.versions }, (_, place) => place).filter((place) => !withdrawn.includes(place));
}

export function publishedAt(plan: Plan, index: number): number {
  if (index >= plan.firstVersions) return EPOCH + (index - plan.firstVersions + 1) * MINUTE;
  return Math.floor(plan.created + ((EPOCH - plan.created) * (index + 1)) / (plan.firstVersions + 1));
}

/** When the document last changed, in ms. */
export function modifiedAt(plan: Plan, doc: Doc): number {
  return doc.generation === 0 ? publishedAt(plan, plan.versions - 1) : EPOCH + doc.generation * MINUTE;
}
