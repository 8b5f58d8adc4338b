import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const WORKER = resolve(import.meta.dirname, '../../workers/cloudflare');
const LONGEST_START_MS = 90_000;

export interface Workerd {
  url: string;
  /** What it has printed so far. */
  printed(): string;
  stop(): Promise<void>;
}

export interface WorkerdOptions {
  /** In the worker's folder; `wrangler.jsonc` unless told. */
  config?: string;
  /** One of the environments in it. */
  environment?: string;
  /** What wrangler itself is told. */
  env?: Record<string, string>;
}

/** Starts the Cloudflare worker in the local workerd, on bindings of its own that are empty; `vars` over those of `wrangler.jsonc`. */
export async function startWorkerd(
  vars: Record<string, string>,
  { config = 'wrangler.jsonc', environment, env = {} }: WorkerdOptions = {},
): Promise<Workerd> {
  const folder = mkdtempSync(join(tmpdir(), 'all-docs-workerd-'));
  const [port, inspector] = await Promise.all([freePort(), freePort()]);
  const options = ['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', String(inspector)];
  const variables = Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
  const args = [
    'dev',
    '--config',
    config,
    '--local',
    '--persist-to',
    folder,
    '--test-scheduled',
    ...options,
    ...(environment === undefined ? [] : ['--env', environment]),
    ...variables,
  ];
  const child = spawn(join(WORKER, 'node_modules/.bin/wrangler'), args, {
    cwd: WORKER,
    // A group of its own: the engine is a child of its child.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      ...env,
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((settle) => child.once('close', () => settle()));
  const stop = async () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const url = `http://127.0.0.1:${port}`;
  const until = Date.now() + LONGEST_START_MS;
  for (;;) {
    const isUp = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return { url, printed: () => said, stop };
    if (child.exitCode !== null || Date.now() > until) {
      await stop();
      throw new Error(`workerd does not start:\n${said}`);
    }
    await new Promise((settle) => setTimeout(settle, 100));
  }
}

function freePort(): Promise<number> {
  return new Promise((settle, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => settle(port));
    });
  });
}
