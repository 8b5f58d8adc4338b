/**
 * The rules of the house that no compiler holds: who may import whom, what may not be said in `packages/`, what may
 * not be written anywhere. Gives one line for each breach.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { dependenciesOf, members } from './members.ts';

/** Each layer may import only from those before it; the first two are leaves. */
const LAYERS = [
  ['http', 'cache'],
  ['partition', 'packument', 'content', 'changes', 'tier'],
  ['checkpoint', 'registry', 'postgres'],
  ['origin'],
  ['worker'],
  ['worker-node', 'worker-cloudflare', 'worker-fastly'],
  ['worker-cloudrun'],
  ['cli'],
];
const HOST_GLOBALS =
  /(?<![.\w'"`$])(process|Buffer|__dirname|__filename|require|setImmediate|navigator|caches|EdgeRuntime)\s*[.([]/;
const MODULE_STATE = /^(?:export )?(?:let|var) /m;
/** Hosts of package registries, spelled in pieces: this file is checked too. */
const REGISTRY_HOSTS = new RegExp(
  ['npm' + 'js\\.(org|com)', 'crates' + '\\.io', 'py' + 'pi\\.org', '(proxy|sum)\\.' + 'golang'].join('|'),
  'i',
);

export function checkBoundaries(): string[] {
  return [...imports(), ...references(), ...portable(), ...words(), ...versions()];
}

function* imports(): Iterable<string> {
  const layerOf = new Map<string, number>(
    LAYERS.flatMap((names, layer) => names.map((name) => [`@_all_docs/${name}`, layer] as const)),
  );
  for (const dir of members()) {
    const { name, dependencies = {} } = manifest(dir);
    const layer = layerOf.get(name);
    if (layer === undefined) yield `${dir}: ${name} has no layer in scripts/boundaries.ts`;
    for (const file of tracked(`${dir}/src`)) {
      for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(
        /(?<!['"\w])(?:from|import)\s*\(?\s*'([^']+)'/g,
      )) {
        const id = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] as string);
        if (target.startsWith('.') || /^(node|cloudflare|fastly):/.test(target)) continue;
        if (!(id in dependencies)) yield `${file}: imports ${id}, which ${dir}/package.json does not name`;
        const other = layerOf.get(id);
        if (other !== undefined && layer !== undefined && other >= layer)
          yield `${file}: ${name} must not import ${id}`;
      }
    }
  }
}

/** A package compiles by itself, after what it depends on: its references name all of that. */
function* references(): Iterable<string> {
  for (const dir of members()) {
    const settings = readFileSync(`${dir}/tsconfig.json`, 'utf8');
    for (const wanted of dependenciesOf(dir)) {
      if (!settings.includes(`"path": "${relative(dir, wanted)}"`))
        yield `${dir}/tsconfig.json: has no reference to ${wanted}`;
    }
  }
}

/** What runs everywhere may not touch a host. */
function* portable(): Iterable<string> {
  for (const dir of members().filter((dir) => dir.startsWith('packages/') || dir === 'workers/worker')) {
    for (const file of tracked(`${dir}/src`)) {
      const text = readFileSync(file, 'utf8');
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      if (/from 'node:/.test(code)) yield `${file}: imports a host module`;
      const host = HOST_GLOBALS.exec(code);
      if (host) yield `${file}: touches the host's ${host[1]}`;
      if (MODULE_STATE.test(code)) yield `${file}: has module-level state`;
    }
  }
}

function* words(): Iterable<string> {
  for (const file of tracked('.')) {
    const text = readFileSync(file, 'latin1');
    if (REGISTRY_HOSTS.test(text)) yield `${file}: names the host of a package registry`;
    if (/\/(root|work)\/[a-z.]+\//.test(text)) yield `${file}: names a path of somebody's machine`;
  }
}

function* versions(): Iterable<string> {
  const cli = manifest('workers/cli').version;
  for (const dir of members()) {
    if (manifest(dir).version !== cli) yield `${dir}: version differs from ${cli}`;
  }
  if (!readFileSync('workers/node/src/version.ts', 'utf8').includes(`'${cli}'`))
    yield `workers/node/src/version.ts: is not ${cli}`;
}

function manifest(dir: string): { name: string; version: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(`${dir}/package.json`, 'utf8'));
}

/** Files of the project below a folder: tracked, or new and not ignored. */
function tracked(dir: string): string[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', dir], {
    encoding: 'utf8',
  });
  return list.split('\0').filter((file) => file !== '' && existsSync(file));
}

if (import.meta.main) {
  const problems = checkBoundaries();
  for (const problem of problems) console.error(problem);
  process.exit(problems.length > 0 ? 1 : 0);
}
