import { resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { members } from './members.ts';

/**
 * Bundles our own packages out of their sources, file by file: nothing is in a bundle for having the same package as what
 * is needed. Each package says in its manifest that its files have no side effects.
 */
export const fromSources: Plugin = {
  name: 'from-sources',
  setup: ({ onResolve, resolve: find }) => {
    onResolve({ filter: /^@_all_docs\// }, ({ path, kind }) => {
      const [, name = '', entry = 'index'] = path.split('/');
      const folder = members().find(
        (dir) => dir === `packages/${name}` || dir === `workers/${name.replace('worker-', '')}`,
      );
      return find(resolve(folder ?? name, `src/${entry}.ts`), { kind, resolveDir: process.cwd() });
    });
  },
};
