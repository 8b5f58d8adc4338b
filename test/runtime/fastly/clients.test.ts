import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countPackages, differencesOf, install } from '../../../scripts/clients/installation.ts';
import { APPS, chooseClients, directRegistry } from '../../../scripts/clients/tools.ts';
import { startWorker } from '../../servers/fastly.ts';
import type { RunningViceroy } from '../../servers/viceroy.ts';
import { withViceroy } from './_with-viceroy.ts';

/** Installing over the network, two times each. */
const LONGEST_MS = 10 * 60_000;

await withViceroy(() => {
  describe('through the Fastly worker', () => {
    const direct = directRegistry();
    const folder = mkdtempSync(join(tmpdir(), 'all-docs-fastly-clients-'));
    const dependencies = APPS['small'] as Record<string, string>;
    let worker: RunningViceroy;

    beforeAll(async () => {
      worker = await startWorker(direct);
    });
    afterAll(async () => {
      await worker?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it.each(chooseClients('npm,pnpm'))(
      '%s installs the same files as straight from the registry',
      {
        timeout: LONGEST_MS,
      },
      async (name, client) => {
        const registry = `${worker.url}/npm/`;
        const wanted = await install(client, { project: join(folder, name, 'direct'), registry: direct, dependencies });
        const cold = await install(client, { project: join(folder, name, 'cold'), registry, dependencies });
        const warm = await install(client, { project: join(folder, name, 'warm'), registry, dependencies });
        expect(countPackages(wanted)).toBeGreaterThan(50);
        expect([differencesOf(wanted, cold), differencesOf(wanted, warm)]).toEqual([[], []]);
      },
    );
  });
});
