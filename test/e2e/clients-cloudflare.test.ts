import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

it('npm and pnpm install the same files through the Cloudflare worker in workerd as from the registry', {
  timeout: 10 * 60_000,
}, async () => {
  const child = spawn(process.execPath, ['scripts/clients-cloudflare.ts'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect(out + err).toContain('every installation equals the direct one');
  expect(code).toBe(0);
});
