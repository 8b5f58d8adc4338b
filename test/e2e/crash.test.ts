import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

it('loses nothing to 50 kills over bootstraps of 5,000 packages with 4 % faults, half of them in each store', async () => {
  const child = spawn(
    process.execPath,
    ['scripts/crash.ts', '--kills', '50', '--packages', '5000', '--share', '0.04'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  const total = JSON.parse(lines.at(-1) ?? '{}');
  console.log(lines.join('\n'));
  expect(total.problems).toEqual([]);
  expect(total.stores).toEqual(['cacache', 'sqlite']);
  expect(total.kills).toBeGreaterThanOrEqual(50);
  expect(total.refetched).toBeLessThanOrEqual(total.allowed);
}, 600_000);
