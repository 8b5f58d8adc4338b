/** Builds every package: types by project references, code by tsup, and the pivot sets that go with the command. Exits 1 when either fails. */
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';

const bin = (name: string) => `node_modules/.bin/${name}`;

for (const [command, ...args] of [[bin('tsc'), '-b'], [bin('tsup')]] as [string, ...string[]][]) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
cpSync('pivots', 'workers/cli/pivots', { recursive: true });
