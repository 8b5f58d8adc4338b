import { readdirSync } from 'node:fs';

/** The folders of all packages, dependencies first as far as names tell. */
export function members(): string[] {
  return ['packages', 'workers'].flatMap((parent) => readdirSync(parent).map((name) => `${parent}/${name}`));
}
