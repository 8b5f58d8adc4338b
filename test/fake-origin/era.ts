import type { Affine } from './affine.ts';
import { mix, random } from './hash.ts';
import type { NameTable } from './name-table.ts';
import type { Prose } from './prose.ts';
import { pick, WORDS } from './words.ts';

/** So many versions in a row share their dependencies and scripts. */
export const ERA_LENGTH = 8;

/** The parts of a manifest that stay the same through an era: JSON members, each led by a comma. */
export interface Era {
  /** In the full document only. */
  full: string;
  /** In the abbreviated one only. */
  abbreviated: string;
  /** In both. */
  shared: string;
}

export interface EraSources {
  table: NameTable;
  popularity: Affine;
  prose: Prose;
}

const HARMLESS = ['preinstall', 'install', 'postinstall'];
// What a client on Linux accepts, so that anything here can really be installed.
const PLATFORMS = ',"os":["linux","darwin"],"cpu":["x64","arm64"]';

export function makeEra(sources: EraSources, id: number, hash: number, era: number): Era {
  const next = random(mix(hash ^ Math.imul(era + 1, 0x27d4eb2f)));
  const platform = next() < 0.02;
  const installs = next() < 0.03 ? pick(HARMLESS, next) : undefined;
  const scripts = [
    `"test":"node --test"`,
    `"build":"${pick(WORDS, next)} --out dist"`,
    `"lint":"${pick(WORDS, next)} ."`,
  ];
  if (installs) scripts.push(`"${installs}":"node -e 0"`);
  const description = sources.prose.text(mix(hash + era), 40 + Math.floor(next() * 80));
  return {
    full: `,"description":"${description}","main":"index.js","scripts":{${scripts.join()}},"license":"MIT"${
      platform ? ',"libc":["glibc"]' : ''
    }`,
    abbreviated: installs ? ',"hasInstallScript":true' : '',
    shared:
      member('dependencies', pickNames(sources, id, Math.floor(next() ** 2 * 9), next)) +
      member('devDependencies', pickNames(sources, id, Math.floor(next() ** 2 * 14), next)) +
      (next() < 0.1 ? member('peerDependencies', pickNames(sources, id, 1, next)) : '') +
      (next() < 0.5 ? `,"engines":{"node":">=${6 + 2 * Math.floor(next() * 6)}"}` : '') +
      (next() < 0.12 ? `,"bin":{"${pick(WORDS, next)}":"cli.js"}` : '') +
      (platform ? PLATFORMS : '') +
      (next() < 0.06 ? ',"funding":{"url":"https://funding.example/give"}' : ''),
  };
}

function member(key: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  return `,"${key}":{${names.map((name, i) => `"${name}":"${i % 3 === 0 ? '*' : '>=0.0.1'}"`).join()}}`;
}

/**
 * Names to depend on. Each is more popular than the one that asks, by a lot, so graphs have no circle and end
 * after a few steps; names that clients refuse are left out.
 */
function pickNames(sources: EraSources, id: number, count: number, next: () => number): string[] {
  const { table, popularity } = sources;
  const rank = id < table.size ? popularity.backward(id) : table.size;
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const name = table.at(popularity.forward(Math.floor(rank * next() ** 3)));
    if (rank > 0 && /^(@[a-z0-9-]+\/)?[a-z0-9][a-z0-9._-]{0,80}$/.test(name) && name !== 'node_modules')
      names.add(name);
  }
  return [...names];
}
