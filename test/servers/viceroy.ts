/**
 * Viceroy, Fastly's local engine: the one that `fastly compute serve` starts. It is built once with Rust's package manager,
 * outside of the checkout, which takes some minutes.
 *
 *   node test/servers/viceroy.ts     builds it where it is missing, and prints where it is
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSION = '0.22.0';
const ROOT = join(homedir(), '.cache', 'all_docs', `viceroy-${VERSION}`);
const PROGRAM = join(ROOT, 'bin', 'viceroy');
/** The engine translates the whole module first: some ten seconds of two cores, and more where they are shared. */
const START_MS = 300_000;

/** Where the program is; `undefined` where it was not built. */
export function viceroyPath(): string | undefined {
  return existsSync(PROGRAM) ? PROGRAM : undefined;
}

/** Builds it where it is missing. Throws what the package manager said when that fails. */
function installViceroy(): string {
  if (!existsSync(PROGRAM)) {
    // What was compiled stays when this is stopped: the next try goes on from there.
    const args = ['install', '--locked', `viceroy@${VERSION}`, '--root', ROOT, '--target-dir', `${ROOT}-build`];
    const { status, stderr, error } = spawnSync('cargo', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    if (status !== 0) throw new Error(`cargo ${args.join(' ')} failed: ${error ?? stderr.slice(-2_000)}`);
  }
  return PROGRAM;
}

export interface RunningViceroy {
  url: string;
  /** What it printed so far. */
  said(): string;
  stop(): Promise<void>;
}

/** Starts a module with a configuration file on a free port. Resolves when it listens. */
export async function startViceroy(wasm: string, toml: string): Promise<RunningViceroy> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const program = viceroyPath();
  if (program === undefined) throw new Error('Viceroy was not built; build it: node test/servers/viceroy.ts');
  const child = spawn(program, ['serve', '-C', toml, wasm, '--addr', address, '-v'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => (said = (said + text).slice(-200_000)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    await listening(child, port, () => said);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { url: `http://${address}`, said: () => said, stop };
}

async function listening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const before = Date.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`viceroy ended with ${child.exitCode}: ${said()}`);
    if (await connects(port)) return;
    if (Date.now() > before) throw new Error(`viceroy does not listen: ${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

if (import.meta.main) console.log(installViceroy());
