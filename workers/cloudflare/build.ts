/**
 * Builds what `wrangler deploy` sends and `wrangler dev` runs, into `dist/deploy/<entry>`: the modules that a request for something
 * held needs, and those that are loaded when something else is asked for first. Out of the packages' sources, file by file,
 * so that nothing is loaded at the start for having the same package as what is.
 *
 *   node build.ts [entry]         worker unless told
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, '../..');

/** Our own packages by their sources; each says in its manifest that its files have no side effects. */
const sources: Plugin = {
  name: 'sources',
  setup: ({ onResolve, resolve: find }) => {
    onResolve({ filter: /^@_all_docs\// }, ({ path, kind }) => {
      const [, name = '', entry = 'index'] = path.split('/');
      const folder = name === 'worker' ? 'workers/worker' : `packages/${name}`;
      return find(join(ROOT, folder, `src/${entry}.ts`), { kind, resolveDir: ROOT });
    });
  },
};

/** Builds one entry of `src`, as `worker.js` with the modules that it imports and loads; gives what they are made of. */
export async function buildWorker({
  entry = 'worker',
  outdir = join(HERE, 'dist/deploy', entry),
} = {}): Promise<Metafile> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { worker: join(HERE, `src/${entry}.ts`) },
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2024',
    external: ['cloudflare:*', 'node:*'],
    conditions: ['workerd'],
    plugins: [sources],
    logLevel: 'warning',
  });
  mkdirSync(outdir, { recursive: true });
  for (const { path, contents } of outputFiles) put(path, contents);
  const made = new Set(outputFiles.map(({ path }) => basename(path)));
  for (const name of readdirSync(outdir)) if (name.endsWith('.js') && !made.has(name)) rmSync(join(outdir, name));
  return metafile;
}

/** At once, and only where it is another one: somebody else may be reading it. */
function put(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

if (import.meta.main) await buildWorker({ entry: process.argv[2] });
