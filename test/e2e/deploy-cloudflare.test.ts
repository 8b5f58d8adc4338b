import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { tempDir } from './cli.ts';

const WORKER = resolve(import.meta.dirname, '../../workers/cloudflare');

async function dryRun(...flags: string[]): Promise<{ code: number; said: string }> {
  const args = ['deploy', '--dry-run', '--outdir', join(tempDir(), 'out'), ...flags];
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_SEND_ERROR_REPORTS: 'false', NO_COLOR: '1' };
  const child = spawn(join(WORKER, 'node_modules/.bin/wrangler'), args, {
    cwd: WORKER,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: Number(code), said: out + err };
}

it('wrangler would deploy the worker as it is, with every binding', async () => {
  const { code, said } = await dryRun();
  expect([code, said]).toEqual([0, expect.stringContaining('--dry-run: exiting now.')]);
  for (const binding of ['PACKUMENTS', 'BLOBS', 'INDEX', 'WORK_QUEUE', 'REPLICA', 'WORK', 'REGISTRY'])
    expect(said).toContain(`env.${binding} `);
  expect(said).not.toMatch(/node:|nodejs_compat/);
  // What is loaded when it is needed first goes with it.
  expect(said).toMatch(/ edge-pull-\w+\.js /);
  expect(said).toMatch(/ rest-\w+\.js /);
});

it.each(['staging', 'hyperdrive'])('and to %s', async (environment) => {
  expect(await dryRun('--env', environment)).toMatchObject({ code: 0 });
});
