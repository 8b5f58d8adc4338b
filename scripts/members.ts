import { readdirSync, readFileSync } from 'node:fs';

/** The folders of all packages, dependencies first as far as names tell. */
export function members(): string[] {
  return ['packages', 'workers'].flatMap((parent) => readdirSync(parent).map((name) => `${parent}/${name}`));
}

/** The folders of the packages of ours that one depends on. */
export function dependenciesOf(dir: string): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(`${dir}/package.json`, 'utf8'));
  const all = members().map((folder) => [JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).name, folder]);
  return all.flatMap(([name, folder]) => (name in dependencies ? [folder] : []));
}

/** These folders, and those of everything of ours that they depend on. */
export function closureOf(dirs: readonly string[]): Set<string> {
  const closure = new Set<string>();
  const add = (dir: string) => {
    if (closure.has(dir)) return;
    closure.add(dir);
    dependenciesOf(dir).forEach(add);
  };
  dirs.forEach(add);
  return closure;
}
