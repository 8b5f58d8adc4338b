import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { spareNames } from './test/_spare-names.ts';

// Nothing leaves the machine: no usage data, no look-up of where it stands.
Object.assign(process.env, {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
});

/** Runs inside workerd, on the bindings of `wrangler.jsonc` and on spare ones of each kind, empty at first. */
export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      main: './test/_worker.ts',
      wrangler: { configPath: './wrangler.jsonc' },
      miniflare: {
        kvNamespaces: spareNames('KV'),
        r2Buckets: spareNames('R2'),
        d1Databases: spareNames('D1'),
        bindings: {
          REGISTRY: 'https://registry.example.test',
          FOLLOW: 'off',
          MIGRATIONS: await readD1Migrations(`${import.meta.dirname}/migrations`),
        },
      },
    })),
  ],
  test: {
    name: 'cloudflare',
    globalSetup: ['./test/_registry.ts'],
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
  },
});
