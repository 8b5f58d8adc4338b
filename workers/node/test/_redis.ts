import { execFileSync, spawn } from 'node:child_process';
import { type AddressInfo, createConnection, createServer } from 'node:net';

export interface RedisServer {
  port: number;
  stop(): Promise<void>;
}

/** Why no Redis can be started here; `undefined` when one can. */
export function whyNoRedis(): string | undefined {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'there is no redis-server on the PATH';
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of our own on a free port that keeps nothing on disk. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const child = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.once('data', (data) => resolve(String(data).startsWith('+PONG')));
      socket.once('error', () => resolve(false));
      socket.setTimeout(500, () => resolve(false));
    }).finally(() => new Promise((resolve) => setTimeout(resolve, 20)));
  for (let tries = 0; !(await answers()); tries++) {
    if (tries === 200 || child.exitCode !== null) throw new Error('redis-server did not start');
  }
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
