import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

/** Installing with five clients, four times each, over the network. */
const LONGEST_MS = 15 * 60_000;

/** Runs a script of this repository; what it said is in the failure. */
async function script(...args: string[]): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: Number(code), said: out + err };
}

describe('real clients', () => {
  it('npm, pnpm, yarn 1, yarn 4 and bun install the same files cold, warm and offline through serve as straight from the registry', {
    timeout: LONGEST_MS,
  }, async () => {
    const { code, said } = await script('scripts/clients.ts', '--app', 'small');
    expect(said).toContain('every installation equals the direct one');
    expect(code).toBe(0);
  });

  it('npm accepts the signatures that serve passes on, and notices those that are none', {
    timeout: LONGEST_MS,
  }, async () => {
    const { code, said } = await script('scripts/signatures.ts');
    expect(said).toMatch(/packages have verified registry signatures; noise: refused/);
    expect(code).toBe(0);
  });
});
