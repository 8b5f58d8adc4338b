/**
 * Installs an application with real package managers, straight from the registry and through `_all_docs serve`, and
 * compares what they installed file by file.
 *
 *   node scripts/clients.ts [--app small|large] [--clients npm,pnpm,yarn1,yarn4,bun] [--rounds 1] [--frozen] [--json]
 *
 * With `--frozen` the registry is a server of this machine that holds what the application needs and asks nobody: then no
 * network is between the times that are compared. For npm its documents are the public registry's, byte by byte, and are
 * handed on as they are by default for that one: npm swaps the host of its tarballs, and others do not.
 *
 * Each client installs with an empty cache of its own each time: direct; cold (nothing is in the replica); warm (the
 * replica holds it all); offline (the server may not ask the registry). The package managers are installed outside of
 * the checkout, once. Exits 1 when an installation fails, or its files, versions or integrities differ from the direct one's.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { serve } from './clients/command.ts';
import { countPackages, differencesOf, type Installed, install } from './clients/installation.ts';
import { APPS, type Client, chooseClients, directRegistry } from './clients/tools.ts';

const { values } = parseArgs({
  options: {
    app: { type: 'string', default: 'small' },
    clients: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    frozen: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const work = mkdtempSync(join(tmpdir(), 'all-docs-clients-'));
const app = APPS[values.app];
if (!app) throw new Error(`no application ${values.app}; there are ${Object.keys(APPS).join(', ')}`);
const dependencies = app;
let problems = 0;
try {
  for (const [name, client] of chooseClients(values.clients)) {
    const upstream = values.frozen ? await freeze(name, client) : undefined;
    try {
      for (let round = 0; round < Number(values.rounds); round++) await check(name, client, upstream?.url);
    } finally {
      await upstream?.stop();
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(problems === 0 ? 'every installation equals the direct one' : `${problems} installations differ`);
process.exitCode = problems === 0 ? 0 : 1;

function swaps(client: string): boolean {
  return client === 'npm';
}

/** A registry that holds what one installation of the client asked for, and asks nobody. */
async function freeze(name: string, client: Client): Promise<Awaited<ReturnType<typeof serve>>> {
  const folder = mkdtempSync(join(work, `${name}-frozen-`));
  const replica = join(folder, 'replica');
  const filling = await serve(replica);
  await install(client, { project: join(folder, 'project'), registry: filling.url, dependencies });
  await filling.stop();
  const frozen = await serve(replica, '--offline', ...(swaps(name) ? ['--tarball-host', 'origin'] : []));
  // Once more, so that all it answers with is ready.
  await install(client, { project: join(folder, 'again'), registry: frozen.url, dependencies });
  return frozen;
}

async function check(name: string, client: Client, upstream?: string): Promise<void> {
  const direct = upstream ?? directRegistry();
  const as = swaps(name) ? ['--tarball-host', 'auto'] : [];
  const from = upstream === undefined ? [] : ['--registry', upstream, ...as];
  const folder = mkdtempSync(join(work, `${name}-`));
  const replica = join(folder, 'replica');
  const wanted = await install(client, { project: join(folder, 'direct'), registry: direct, dependencies });
  let server = await serve(replica, ...from);
  const cold = await install(client, { project: join(folder, 'cold'), registry: server.url, dependencies });
  const asked = await originRequests(server.base);
  const memory = await memoryMiB(server.base);
  const warm = await install(client, { project: join(folder, 'warm'), registry: server.url, dependencies });
  const again = (await originRequests(server.base)) - asked;
  await server.stop();
  server = await serve(replica, '--offline', ...from);
  const offline = await install(client, { project: join(folder, 'offline'), registry: server.url, dependencies });
  await server.stop();
  const runs = { cold, warm, offline };
  const seconds = Object.fromEntries(
    Object.entries({ direct: wanted, ...runs }).map(([run, { seconds }]) => [run, Number(seconds.toFixed(1))]),
  );
  const differences = Object.fromEntries(
    Object.entries(runs).map(([run, installed]) => [run, differencesOf(wanted, installed)]),
  );
  problems += Object.values(differences).filter((list) => list.length > 0).length;
  const packages = countPackages(wanted);
  const result = {
    ...{ client: name, app: values.app, packages, files: wanted.files.size },
    ...{
      integrities: wanted.integrities.size,
      seconds,
      coldToDirect: ratio(cold, wanted),
      warmToDirect: ratio(warm, wanted),
    },
    ...{ originRequests: asked, originRequestsWarm: again, memoryMiB: memory.now, peakMiB: memory.peak },
    differences: Object.fromEntries(Object.entries(differences).map(([run, list]) => [run, list.slice(0, 10)])),
  };
  if (values.json) console.log(JSON.stringify(result));
  else {
    console.log(
      `${name.padEnd(6)} ${packages} packages, ${wanted.files.size} files, ${wanted.integrities.size} integrities; seconds ${JSON.stringify(seconds)}; cold ${result.coldToDirect}, warm ${result.warmToDirect} of direct; origin asked ${asked} times cold, ${again} warm; the server's memory after cold ${memory.now} MiB, at most ${memory.peak}`,
    );
    for (const [run, list] of Object.entries(differences)) {
      for (const line of list.slice(0, 10)) console.log(`  ${run}: ${line}`);
    }
  }
  // Each installation is half a gigabyte.
  rmSync(folder, { recursive: true, force: true });
}

/** Resident memory of the server and its threads, now and at most. */
async function memoryMiB(base: string): Promise<{ now: number; peak: number }> {
  const { process } = (await (await fetch(`${base}/-/status.json`)).json()) as {
    process: { rssBytes: number; peakRssBytes: number };
  };
  const mib = (bytes: number) => Math.round(bytes / 1024 ** 2);
  return { now: mib(process.rssBytes), peak: mib(process.peakRssBytes) };
}

function ratio(run: Installed, to: Installed): number {
  return Number((run.seconds / to.seconds).toFixed(2));
}

/** Requests that the server made to the registry so far: for documents and for tarballs. */
async function originRequests(base: string): Promise<number> {
  const { counters } = (await (await fetch(`${base}/-/status.json`)).json()) as {
    counters: { originRequests: number; tarballs: { fetched: number; failed: number; mismatched: number } };
  };
  const { fetched, failed, mismatched } = counters.tarballs;
  return counters.originRequests + fetched + failed + mismatched;
}
