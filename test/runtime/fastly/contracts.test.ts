import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startGuest } from '../../servers/fastly.ts';
import { bundle } from './_bundle.ts';
import type { Outcome } from './_runner.ts';
import { withViceroy } from './_with-viceroy.ts';

await withViceroy(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'all-docs-guest-'));
  const source = join(folder, 'contracts.js');
  await bundle('_contracts.ts', source);
  const guest = await startGuest(source, {
    kvStores: ['all_docs', ...Array.from({ length: 1_200 }, (_, i) => `store${i}`)],
    backends: { registry: 'http://127.0.0.1:9' },
    config: {},
    secrets: { work_token: 'secret' },
  });
  const tests = (await (await fetch(guest.url)).json()) as { title: string; isOff: boolean }[];

  describe('inside the engine', () => {
    afterAll(async () => {
      await guest.stop();
      rmSync(folder, { recursive: true });
    });

    for (const [index, { title, isOff }] of tests.entries()) {
      it.skipIf(isOff)(title, async ({ skip }) => {
        const response = await fetch(`${guest.url}/${index}`);
        const text = await response.text();
        if (response.status !== 200) throw new Error(`${response.status} ${text}\n${guest.said().slice(-2_000)}`);
        const outcome = JSON.parse(text) as Outcome;
        if ('skipped' in outcome) skip(outcome.skipped);
        expect(outcome).toEqual({ ok: true });
      });
    }
  });
});
