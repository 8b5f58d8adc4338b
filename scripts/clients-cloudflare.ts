/**
 * Installs an application with npm and pnpm straight from a registry and through the Cloudflare worker in the local workerd,
 * cold and warm, and compares what they installed file by file.
 *
 *   node scripts/clients-cloudflare.ts [--app small|large] [--clients npm,pnpm] [--json]
 *
 * The registry is `serve` of this machine in front of the one that npm is configured for: workerd goes out through no proxy.
 * Exits 1 when an installation fails, or differs from the direct one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startWorkerd } from '../test/e2e/workerd.ts';
import { serve } from './clients/command.ts';
import { countPackages, differencesOf, install } from './clients/installation.ts';
import { APPS, chooseClients } from './clients/tools.ts';

const { values } = parseArgs({
  options: {
    app: { type: 'string', default: 'small' },
    clients: { type: 'string', default: 'npm,pnpm' },
    json: { type: 'boolean', default: false },
  },
});
const dependencies = APPS[values.app];
if (!dependencies) throw new Error(`no application ${values.app}; there are ${Object.keys(APPS).join(', ')}`);

const work = mkdtempSync(join(tmpdir(), 'all-docs-edge-clients-'));
const upstream = await serve(join(work, 'upstream'));
let problems = 0;
try {
  for (const [name, client] of chooseClients(values.clients)) {
    const folder = mkdtempSync(join(work, `${name}-`));
    const direct = await install(client, { project: join(folder, 'direct'), registry: upstream.url, dependencies });
    const worker = await startWorkerd({ REGISTRY: upstream.url, ORIGIN: upstream.base, FOLLOW: 'off' });
    try {
      for (const run of ['cold', 'warm']) {
        const project = join(folder, run);
        const got = await install(client, { project, registry: `${worker.url}/npm/`, dependencies });
        const differences = differencesOf(direct, got);
        problems += differences.length > 0 ? 1 : 0;
        const seconds = { direct: direct.seconds, [run]: got.seconds };
        const result = { client: name, run, packages: countPackages(got), files: got.files.size, seconds };
        console.log(
          values.json
            ? JSON.stringify({ ...result, differences })
            : `${name} ${run}: ${result.packages} packages, ${got.files.size} files, ${got.seconds.toFixed(1)} s (direct ${direct.seconds.toFixed(1)} s)`,
        );
        if (!values.json) for (const line of differences.slice(0, 10)) console.log(`  ${line}`);
      }
    } finally {
      await worker.stop();
    }
  }
} finally {
  await upstream.stop();
  rmSync(work, { recursive: true, force: true });
}
console.log(problems === 0 ? 'every installation equals the direct one' : `${problems} installations differ`);
process.exitCode = problems === 0 ? 0 : 1;
