/**
 * Proves that a lockfile is all it takes to install offline: with real package managers, each makes a lockfile straight
 * from the registry; `_all_docs fetch --lockfile` fills a new replica with what it needs; the client installs exactly that
 * from `serve --offline`, with an empty cache of its own; and what it installed is compared with the direct installation.
 *
 *   node scripts/lockfiles.ts [--app small|large] [--clients npm,pnpm,yarn1,yarn4,bun]
 *
 * Exits 1 when anything fails or differs, when a second `fetch` asks the registry for anything, or when a client asked the
 * server in vain for anything but itself.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run, serve } from './clients/command.ts';
import { countPackages, differencesOf, type Installed, install } from './clients/installation.ts';
import { APPS, type Client, chooseClients, directRegistry } from './clients/tools.ts';

const { values } = parseArgs({
  options: { app: { type: 'string', default: 'small' }, clients: { type: 'string' } },
});
const dependencies = APPS[values.app];
if (!dependencies) throw new Error(`no application ${values.app}; there are ${Object.keys(APPS).join(', ')}`);
const registry = directRegistry();
const work = mkdtempSync(join(tmpdir(), 'all-docs-lockfiles-'));
let failed = 0;
try {
  for (const [name, client] of chooseClients(values.clients)) {
    const problems = await check(name, client).catch((error: Error) => [error.message]);
    for (const problem of problems.slice(0, 10)) console.log(`  ${problem}`);
    if (problems.length > 0) failed += 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(failed === 0 ? 'every lockfile installs offline as it does directly' : `${failed} clients differ`);
process.exitCode = failed === 0 ? 0 : 1;

async function check(name: string, client: Client): Promise<string[]> {
  const folder = mkdtempSync(join(work, `${name}-`));
  const replica = join(folder, 'replica');
  const direct = await install(client, { project: join(folder, 'direct'), registry, dependencies: dependencies ?? {} });
  const lockfile = join(folder, 'direct', client.lockfile);
  const fetched = await fetchLock(lockfile, replica);
  const again = await fetchLock(lockfile, replica);
  const server = await serve(replica, '--offline');
  let offline: Installed;
  let missing: string[];
  try {
    const project = join(folder, 'offline');
    offline = await install(client, {
      ...{ project, registry: server.url, dependencies: dependencies ?? {} },
      lock: direct.lock,
    });
  } finally {
    missing = await askedInVain(server.base);
    await server.stop();
  }
  console.log(
    `${name.padEnd(6)} ${countPackages(direct)} packages installed, ${direct.files.size} files; fetched ${fetched.tarballs} tarballs of ${fetched.names} packages in ${fetched.requests} requests, ${fetched.seconds.toFixed(1)} s; again ${again.requests} requests; offline ${offline.seconds.toFixed(1)} s, direct ${direct.seconds.toFixed(1)} s`,
  );
  const asked = again.requests > 0 ? [`the second fetch asked the registry ${again.requests} times`] : [];
  // Clients look for a newer version of themselves, and do without the answer.
  const lacked = missing.filter((what) => what !== name);
  return [...asked, ...lacked.map((what) => `asked for offline in vain: ${what}`), ...differencesOf(direct, offline)];
}

/** Runs `fetch --lockfile`; rejects unless it exits 0. */
async function fetchLock(lockfile: string, cache: string) {
  const { code, events } = await run(
    'fetch',
    '--lockfile',
    lockfile,
    '--cache',
    cache,
    '--registry',
    registry,
    '--rate',
    '0',
  );
  const done = events.find(({ type }) => type === 'done') as
    | { names: number; requests: number; seconds: number; tarballs: { stored: number; held: number } }
    | undefined;
  if (code !== 0 || !done) throw new Error(`fetch ended with ${code}: ${JSON.stringify(events.slice(-3))}`);
  const { names, requests, seconds, tarballs } = done;
  return { names, requests, seconds, tarballs: tarballs.stored + tarballs.held };
}

/** What clients wanted of an offline server, and it does not hold. */
async function askedInVain(base: string): Promise<string[]> {
  const { counters } = (await (await fetch(`${base}/-/status.json`)).json()) as {
    counters: { missing: string[]; missingTarballs: string[] };
  };
  return [...counters.missing, ...counters.missingTarballs];
}
