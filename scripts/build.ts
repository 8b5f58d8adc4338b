/**
 * Builds every package: types by project references, code by tsup, and the pivot sets that go with the command. Exits 1 when
 * either fails.
 *
 *   node scripts/build.ts [DIR…]          only these packages, and what they depend on
 */
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';

const bin = (name: string) => `node_modules/.bin/${name}`;
const dirs = process.argv.slice(2);
const env = { ...process.env, ALL_DOCS_BUILD: dirs.join(' ') };

for (const [command, ...args] of [[bin('tsc'), '-b', ...dirs], [bin('tsup')]] as [string, ...string[]][]) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
}
cpSync('pivots', 'workers/cli/pivots', { recursive: true });
