import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ask } from '../fake-origin/client.ts';
import type { FakeOrigin } from '../fake-origin/index.ts';
import { type CliOptions, type RunningCli, startCli, tempDir, until } from './cli.ts';

/** A version as its document has it. */
export interface Version {
  name: string;
  version: string;
  dist: { tarball: string; integrity: string; shasum: string };
}

/** All versions of a package, as the origin has them. */
export function versionsOf(fake: FakeOrigin, name: string): Version[] {
  const { versions } = fake.packument(name) as { versions: Record<string, Version> };
  return Object.values(versions);
}

/** The first names that nothing has to be encoded of, scoped ones among them, and that have versions. */
export function plainNames(fake: FakeOrigin, count: number): string[] {
  return [...fake.names()]
    .filter(
      (name) =>
        /^(@[a-z\d-]+\/)?[a-z][a-z\d-]+$/.test(name) &&
        Object.keys(fake.packument(name)?.['versions'] ?? {}).length > 0,
    )
    .slice(0, count);
}

/** The lockfile of npm that asks for these versions. */
export function npmLock(versions: readonly Version[], change: (version: Version) => object = () => ({})): string {
  const packages = Object.fromEntries(
    versions.map((version, i) => [
      `node_modules/${i === 0 ? '' : `p${i}/node_modules/`}${version.name}`,
      {
        version: version.version,
        resolved: version.dist.tarball,
        integrity: version.dist.integrity,
        optional: true,
        ...change(version),
      },
    ]),
  );
  return JSON.stringify({ name: 'app', lockfileVersion: 3, packages: { '': { name: 'app' }, ...packages } });
}

/** Index rows of tarballs in a replica, read without the command. */
export function tarballRows(cache: string): { blob: string; size: number; integrity: string; pinned?: boolean }[] {
  const database = new DatabaseSync(join(cache, 'index.sqlite'), { readOnly: true });
  try {
    return database
      .prepare("SELECT value FROM rows WHERE key LIKE 'v1:version:%' ORDER BY key")
      .all()
      .map(({ value }) => JSON.parse(String(value)));
  } finally {
    database.close();
  }
}

export interface Served extends RunningCli {
  url: string;
}

/** Starts `serve --offline` on a free port and waits until it listens. */
export function serveOffline(args: string[], options?: CliOptions): Promise<Served> {
  return startServe(['--offline', ...args], options);
}

/** Starts `serve` on a free port and waits until it listens. */
export async function startServe(args: string[], options?: CliOptions): Promise<Served> {
  const running = startCli(['serve', '--json', '--listen', '127.0.0.1:0', ...args], options);
  const said = () => /"type":"listening","url":"([^"]+)"/.exec(running.printed().stdout)?.[1];
  await Promise.race([until(() => said() !== undefined, 'it listens'), running.done]);
  const url = said();
  if (url === undefined) throw new Error(`it does not listen: ${running.printed().stderr}`);
  return { ...running, url };
}

/** What a server gives for the tarballs of these versions: their integrities, or why not. */
export function servedIntegrities(
  served: Served,
  fake: FakeOrigin,
  versions: readonly Version[],
): Promise<(string | number)[]> {
  return Promise.all(
    versions.map(async ({ dist }) => {
      const { status, raw } = await ask(served.url, `/npm${dist.tarball.slice(fake.url.length)}`);
      return status === 200 ? `sha512-${createHash('sha512').update(raw).digest('base64')}` : status;
    }),
  );
}

/** `serve` in front of an origin, over a cache of its own. */
export async function serveFrom({ url }: Pick<FakeOrigin, 'url'>): Promise<{ url: string; stop(): Promise<void> }> {
  const served = await startServe(['--registry', url, '--cache', tempDir()]);
  const stop = async () => {
    served.kill('SIGTERM');
    await served.done;
  };
  return { url: `${served.url}/npm`, stop };
}
