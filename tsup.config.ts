import { readFileSync } from 'node:fs';
import { defineConfig, type Options } from 'tsup';
import { fromSources } from './scripts/from-sources.ts';
import { closureOf } from './scripts/members.ts';

/** Every package, its entries beside `src/index.ts` included. Types come from `tsc -b`. */
const PACKAGES: Record<string, string[]> = {
  'packages/http': ['clock.ts', 'errors.ts'],
  'packages/cache': [],
  'packages/partition': [],
  'packages/packument': ['keys.ts'],
  'packages/checkpoint': [],
  'packages/changes': [],
  'packages/tier': [],
  'packages/postgres': [],
  'packages/content': ['keys.ts'],
  'packages/registry': ['edge.ts'],
  'packages/origin': ['edge.ts'],
  'workers/worker': ['queues.ts'],
  'workers/node': [
    'bullmq-queue.ts',
    'check-worker.ts',
    'derive-worker.ts',
    'object-stores.ts',
    'postgres.ts',
    'serve.ts',
    'serve-worker.ts',
  ],
  'workers/cloudflare': ['objects.ts', 'push.ts', 'worker.ts'],
  'workers/cloudrun': ['healthcheck.ts', 'main.ts', 'serve.ts', 'warm-up.ts'],
  'workers/fastly': ['worker.ts'],
};

/**
 * The command is one bundle of our own code, out of the sources: then a start finds, reads and compiles what it needs, and
 * nothing for having the same package as what it needs. Threads and processes are started by the name of their file.
 */
const COMMAND: Options = {
  name: 'workers/cli',
  entry: {
    index: 'workers/cli/src/index.ts',
    main: 'workers/cli/src/main.ts',
    'check-worker': 'workers/node/src/check-worker.ts',
    'derive-worker': 'workers/node/src/derive-worker.ts',
    'serve-worker': 'workers/node/src/serve-worker.ts',
  },
  noExternal: [/^@_all_docs\//],
  esbuildPlugins: [fromSources],
};

/** The packages that run on Node only. */
const NODE = new Set(['workers/node', 'workers/cloudrun', 'workers/cli']);

/** What `scripts/build.ts` was told to build. */
const wanted = process.env['ALL_DOCS_BUILD']?.split(' ').filter(Boolean) ?? [];
const built = closureOf(wanted.length > 0 ? wanted : [...Object.keys(PACKAGES), 'workers/cli']);

const packages = Object.entries(PACKAGES).map(
  ([dir, entries]): Options => ({
    name: dir,
    entry: ['index.ts', ...entries].map((file) => `${dir}/src/${file}`),
  }),
);

export default defineConfig(
  [...packages, COMMAND]
    .filter(({ name = '' }) => built.has(name))
    .map((options): Options => {
      const { name: dir = '' } = options;
      const { dependencies = {} } = JSON.parse(readFileSync(`${dir}/package.json`, 'utf8'));
      return {
        outDir: `${dir}/dist`,
        format: 'esm',
        target: 'es2023',
        platform: NODE.has(dir) ? 'node' : 'neutral',
        external: [...Object.keys(dependencies), /^(cloudflare|fastly):/],
        sourcemap: true,
        splitting: true,
        dts: false,
        removeNodeProtocol: false,
        clean: false,
        silent: true,
        ...options,
      };
    }),
);
