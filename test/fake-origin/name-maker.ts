import { mix, random } from './hash.ts';
import { BIG_SCOPES, inventWord, pick, WORDS } from './words.ts';

// Unscoped candidates repeat more often and are dropped, so the share that remains is about 0.24.
const SCOPED_SHARE = 0.22;

/** The `index`-th candidate name of a seed. Candidates may repeat; the caller drops repeats. */
export function makeName(seed: number, index: number, packages: number): string {
  const next = random(mix(seed ^ Math.imul(index + 1, 0x9e3779b1)));
  if (next() >= SCOPED_SHARE) return plainName(next);
  return `@${scopeName(seed, packages, next)}/${plainName(next)}`;
}

/** Scope k gets a share that falls with k: a few scopes are huge, most hold one or two packages. */
function scopeName(seed: number, packages: number, next: () => number): string {
  const scopes = Math.max(BIG_SCOPES.length, Math.floor(packages * 0.06));
  const k = Math.floor(scopes * next() ** 3);
  const big = BIG_SCOPES[k];
  if (big !== undefined) return big;
  const own = random(mix(seed ^ Math.imul(k, 0x85ebca6b)));
  return own() < 0.6 ? inventWord(own) : `${word(own)}-${word(own)}`;
}

function word(next: () => number): string {
  return next() < 0.7 ? pick(WORDS, next) : inventWord(next);
}

/** An unscoped name. */
export function plainName(next: () => number): string {
  const kind = next();
  if (kind < 0.1) return word(next) + digits(next, 0.5);
  if (kind < 0.55) return `${word(next)}-${word(next)}${digits(next, 0.08)}`;
  if (kind < 0.83) return `${word(next)}-${word(next)}-${word(next)}${digits(next, 0.05)}`;
  if (kind < 0.88) return `${word(next)}.${next() < 0.4 ? 'js' : word(next)}`;
  if (kind < 0.92) return `${word(next)}_${word(next)}`;
  if (kind < 0.95) return inventWord(next) + inventWord(next);
  if (kind < 0.97) return `${Math.floor(next() * 1000)}-${word(next)}-${word(next)}`;
  if (kind < 0.985) return capital(word(next)) + capital(word(next)) + digits(next, 0.1);
  if (kind < 0.999) return `${word(next)}${pick(['-', '.', '_'], next)}${Math.floor(next() * 1e6)}`;
  return pick(['-', '_', '~', '.', '!'], next) + word(next) + digits(next, 0.5);
}

function digits(next: () => number, share: number): string {
  return next() < share ? String(Math.floor(next() * 100)) : '';
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
