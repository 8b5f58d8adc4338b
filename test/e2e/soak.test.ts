import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

it('is the origin, name by name and revision by revision, after 600 changes with 5 % faults, 3 kills and a reset, and never served what was removed', async () => {
  const flags = ['--packages', '300', '--documents', '200', '--changes', '600', '--kills', '3', '--resets', '1'];
  const child = spawn(process.execPath, ['scripts/soak.ts', ...flags, '--life', '4000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  const total = JSON.parse(lines.at(-1) ?? '{}');
  console.log(lines.join('\n'));
  expect(total).toMatchObject({ type: 'done', problems: [], changes: 600, kills: 3, resets: 1 });
  expect(total.probes).toBeGreaterThan(50);
}, 150_000);
