/**
 * Bundles the Cloud Run service into a folder, as its image has it: few files, which are found and read sooner than the four
 * hundred of our packages and Google's client. Out of the sources, file by file, so that nothing is loaded at the start for
 * having the same package as what is. What stays a package is found in `node_modules` beside the folder.
 *
 *   node scripts/bundle-cloudrun.ts FOLDER
 */
import { build } from 'esbuild';
import { fromSources } from './from-sources.ts';

const [outdir] = process.argv.slice(2);
if (outdir === undefined) {
  console.error('usage: node scripts/bundle-cloudrun.ts FOLDER');
  process.exit(2);
}

await build({
  entryPoints: [
    'workers/cloudrun/src/main.ts',
    'workers/cloudrun/src/healthcheck.ts',
    'workers/cloudrun/src/warm-up.ts',
    // Threads are started by the name of their file.
    'workers/node/src/check-worker.ts',
    'workers/node/src/derive-worker.ts',
  ],
  entryNames: '[name]',
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
  // Native code, and libraries that look for files of their own; all three are loaded late or never.
  external: ['@napi-rs/blake-hash', '@npmcli/config', 'cacache'],
  // For libraries in CommonJS that ask for Node's modules.
  banner: { js: "import{createRequire as _require}from'node:module';const require=_require(import.meta.url);" },
  plugins: [fromSources],
});
