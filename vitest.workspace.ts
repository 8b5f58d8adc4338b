import type { TestProjectConfiguration } from 'vitest/config';

const project = (name: string, include: string[], more: object = {}): TestProjectConfiguration => ({
  test: { name, include, environment: 'node', ...more },
});

/** One project for each kind of proof. Everything imports the built packages, as a user would. */
export default [
  project('packages', ['packages/*/test/**/*.test.ts'], { testTimeout: 60_000 }),
  project('workers', ['workers/!(cloudflare)/test/**/*.test.ts'], { testTimeout: 60_000 }),
  // Inside workerd, by a configuration of its own: the project `cloudflare`.
  'workers/cloudflare',
  // Fastly's local engine, which is built once: see test/servers/viceroy.ts.
  project('fastly', ['test/runtime/fastly/**/*.test.ts'], { testTimeout: 120_000, hookTimeout: 600_000 }),
  project('fake-origin', ['test/fake-origin/**/*.test.ts'], { testTimeout: 30_000 }),
  project('e2e', ['test/e2e/**/*.test.ts'], { testTimeout: 300_000, hookTimeout: 60_000 }),
];
