/** A PostgreSQL server of our own: its data in a temporary directory, on a free port of 127.0.0.1. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface PostgresServer {
  /** Of the database `postgres`, for its superuser. */
  readonly url: string;
  /** Ends it at once, as a crash would; acknowledged transactions are kept. */
  crash(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Whoever may run it where we are root, which it refuses: `nobody`. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const START_TRIES = 300;

/** Why none can be started here; `undefined` when one can. */
export function whyNoPostgres(): string | undefined {
  return binaries() ? undefined : 'there is no PostgreSQL server here (Debian: apt-get install postgresql)';
}

/** Durable to the process, not to the machine: it does not sync. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = binaries();
  if (!bin) throw new Error(whyNoPostgres());
  const user = process.getuid?.() === 0 ? NOBODY : undefined;
  const data = mkdtempSync(join(tmpdir(), 'all-docs-postgres-'));
  if (user) chownSync(data, user.uid, user.gid);
  const quiet = { ...user, cwd: data, stdio: 'ignore' } as const;
  const made = ['-D', data, '-E', 'UTF8', '--locale=C', '-U', 'postgres', '-A', 'trust', '--no-sync'];
  execFileSync(join(bin, 'initdb'), made, quiet);
  const port = await freePort();
  const flags = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', data, '-F', '-c', 'max_connections=100'];
  let child = spawn(join(bin, 'postgres'), flags, quiet);
  const isReady = () => {
    try {
      execFileSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  const ready = async () => {
    for (let tries = 0; !isReady(); tries++) {
      if (tries === START_TRIES || child.exitCode !== null) throw new Error('PostgreSQL did not start');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  await ready();
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    crash: () => end('SIGQUIT'),
    async start() {
      child = spawn(join(bin, 'postgres'), flags, quiet);
      await ready();
    },
    async stop() {
      await end('SIGINT');
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The folder of the server's programs: Debian keeps them off the PATH. */
function binaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return folders.find((folder) => ['initdb', 'postgres', 'pg_isready'].every((name) => existsSync(join(folder, name))));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
