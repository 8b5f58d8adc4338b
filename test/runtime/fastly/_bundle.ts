import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const here = (file: string) => resolve(import.meta.dirname, file);

/** Stands the guest's own modules in for what cannot run there. */
const standIns: Plugin = {
  name: 'stand-ins',
  setup(it) {
    it.onResolve({ filter: /^vitest$/ }, () => ({ path: here('_runner.ts') }));
    it.onResolve({ filter: /^node:zlib$/ }, () => ({ path: here('_zlib.ts') }));
    it.onResolve({ filter: /^\.\/_bytes\.ts$/ }, () => ({ path: here('_bytes.ts') }));
  },
};

/** One file of a module and all it imports, for the compiler, which resolves nothing of ours. */
export async function bundle(source: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [here(source)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    external: ['fastly:*'],
    plugins: [standIns],
    logLevel: 'error',
  });
}
