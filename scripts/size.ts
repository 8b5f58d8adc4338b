/** Prints the minified size of each package's code, bundled without its dependencies, and checks the budgets. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { members } from './members.ts';

/** Bytes, minified: the libraries for Node and Cloud Run with all packages of ours in them. */
const BUDGETS: Record<string, number> = { 'workers/node': 150_000, 'workers/cloudrun': 150_000 };

let over = 0;
for (const dir of members()) {
  const { name } = JSON.parse(readFileSync(`${dir}/package.json`, 'utf8'));
  const { outputFiles } = await build({
    entryPoints: [`${dir}/dist/index.js`],
    bundle: true,
    minify: true,
    write: false,
    logLevel: 'error',
    format: 'esm',
    platform: 'node',
    plugins: [
      {
        name: 'ours-only',
        setup: (it) =>
          it.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === 'entry-point' || path.startsWith('@_all_docs/') ? undefined : { path, external: true },
          ),
      },
    ],
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const budget = BUDGETS[dir];
  const fits = budget === undefined || code.length <= budget;
  if (!fits) over += 1;
  console.log(
    `${name.padEnd(28)} ${String(code.length).padStart(7)} bytes, gzip ${String(gzipSync(code).length).padStart(6)}${budget ? ` (budget ${budget}${fits ? '' : ', OVER'})` : ''}`,
  );
}
process.exit(over > 0 ? 1 : 0);
