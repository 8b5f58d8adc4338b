/**
 * A model of the names of the public npm registry, made from documented facts and stated guesses: no list of real names was at
 * hand. Like the fake origin's names it is a pure function of (seed, index); its shapes of names come from there.
 */
import { mix, random } from '../../test/fake-origin/hash.ts';
import { plainName } from '../../test/fake-origin/name-maker.ts';
import { BIG_SCOPES, inventWord, pick, WORDS } from '../../test/fake-origin/words.ts';

/** Documented: 23.5 % of all ids ever are scoped, probably a little more of those that live. Repeats are dropped more often among the others. */
const SCOPED_SHARE = 0.23;
/** Documented: names of the scope of types, and of the three biggest ones, at the registry's size of 2025-10; those three are not named. */
const TYPES_SHARE = 11_000 / 4_600_000;
const GIANT_SHARES = [33_000, 30_000, 25_000].map((names) => names / 4_600_000);
/** Documented: 323,557 scopes for 5.7 million ids. */
const SCOPES_PER_NAME = 0.057;
/** Documented: about a thousand names sort before `03-webpack…`; those that begin with a sign are a part of them. */
const SIGN_SHARE = 0.0001;
/** Guessed, but with the thousand above in mind: few names begin with a digit, and few of these with a zero. */
const DIGIT_SHARE = 0.006;
/** Guessed: capitals have not been allowed for new names for years. */
const CAPITAL_SHARE = 0.004;
/** Guessed, in thousandths of the unscoped names: what families of packages begin with. Not counted anywhere. */
const FAMILIES =
  `react 50 node 20 vue 15 eslint 12 angular 8 ng 6 ngx 5 generator 8 babel 7 gulp 7 express 7 create 6 grunt 6
n8n-nodes 5 next 5 mcp 5 ember 5 discord 5 webpack 5 my 6 test 8 get 2 use 3 is 3 simple 4 typescript 4 vite 4 jquery 4
gatsby 4 cordova 4 redux 4 nuxt 3 postcss 3 svelte 3 ts 3 js 3 homebridge 3 rollup 2 strapi 2 hexo 2 easy 2 super 2
passport 2 karma 2 hubot 2 docusaurus 2 tailwindcss 2 nestjs 2 serverless 2 mongoose 2 socket 2 web 2 expo 2`
    .split(/\s+/)
    .reduce<[string, number][]>((list, text, i, all) => {
      if (i % 2 === 0) list.push([text, Number(all[i + 1]) / 1000]);
      return list;
    }, []);

/** The `index`-th candidate name of a seed, in a registry of `packages` names. Candidates may repeat. */
export function modelName(seed: number, index: number, packages: number): string {
  const next = random(mix(seed ^ Math.imul(index + 1, 0x9e3779b1)));
  return next() < SCOPED_SHARE ? `@${scopeName(seed, packages, next)}/${lower(plainName(next))}` : unscoped(next);
}

function unscoped(next: () => number): string {
  const kind = next();
  if (kind < SIGN_SHARE) return pick(['-', '-', '.', '_', '~', '!'], next) + plainName(next);
  if (kind < SIGN_SHARE + DIGIT_SHARE) return `${number(next)}${pick(['-', '', 'd', 'x'], next)}${plainName(next)}`;
  if (kind < SIGN_SHARE + DIGIT_SHARE + CAPITAL_SHARE) return capital(plainName(next));
  const family = familyOf(next());
  const rest = letters(next);
  return family === undefined ? rest : `${family}-${rest}`;
}

function familyOf(place: number): string | undefined {
  let left = place;
  for (const [name, share] of FAMILIES) {
    if (left < share) return name;
    left -= share;
  }
  return undefined;
}

/** Scope k has a share that falls with k, as its documented ends (giants, and four names in the mean) ask for. */
function scopeName(seed: number, packages: number, next: () => number): string {
  let left = next() * SCOPED_SHARE;
  if (left < TYPES_SHARE) return 'types';
  left -= TYPES_SHARE;
  for (const [k, share] of GIANT_SHARES.entries()) {
    if (left < share) return inventWord(random(mix(seed ^ Math.imul(k + 1, 0xc2b2ae35))));
    left -= share;
  }
  const [scopes, shift, power] = [packages * SCOPES_PER_NAME, 20, 0.27];
  const from = shift ** power;
  const k = Math.floor((from + next() * ((scopes + shift) ** power - from)) ** (1 / power) - shift);
  const own = random(mix(seed ^ Math.imul(k + 100, 0x85ebca6b)));
  return BIG_SCOPES[k + 1] ?? (own() < 0.5 ? inventWord(own) : `${pick(WORDS, own)}-${pick(WORDS, own)}`);
}

/** Fewer leading zeros than chance would have, as the thousand names before `03-webpack…` say. */
function number(next: () => number): string {
  return `${next() < 0.02 ? '0' : ''}${Math.ceil(10 ** (next() * 3))}`;
}

function letters(next: () => number): string {
  for (;;) {
    const name = lower(plainName(next));
    if (/^[a-z]/.test(name)) return name;
  }
}

function lower(text: string): string {
  return text.toLowerCase();
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
