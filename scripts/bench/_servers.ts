/** Servers in front of a registry, ours and those that people would use instead, each pinned to one core. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface BenchServer {
  name: string;
  /** What a package's path is added to. */
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** The core of the measured server, and that of the load and the origin. */
export const SERVER_CORE = '0';
export const LOAD_CORE = '1';
const TICKS_A_SECOND = 100;

/** Runs a program pinned to a core. */
export function pinned(
  core: string,
  command: string,
  args: string[],
  stdin: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  return spawn('taskset', ['-c', core, command, ...args], { stdio: [stdin, 'pipe', 'inherit'] });
}

export async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    child.stdout?.resume();
    return line;
  }
  throw new Error('it ended without a word');
}

export async function startOurs(registry: string, cache: string, args: string[] = []): Promise<BenchServer> {
  const bin = 'node_modules/@_all_docs/cli/bin/_all_docs.js';
  const flags = ['serve', '--json', '--listen', '127.0.0.1:0', '--registry', registry, '--cache', cache, ...args];
  const child = pinned(SERVER_CORE, process.execPath, [bin, ...flags]);
  const { url } = JSON.parse(await firstLine(child));
  return { name: '_all_docs', url: `${url}/npm/`, pid: child.pid as number, stop: () => end(child) };
}

/** nginx as a cache, for one core. Without `tcp_nopush`, which stalls on the loopback. */
export async function startNginx(registry: string, work: string): Promise<BenchServer> {
  const port = await freePort();
  mkdirSync(join(work, 'logs'), { recursive: true });
  const config = join(work, 'nginx.conf');
  writeFileSync(
    config,
    `
daemon off; worker_processes 1; pid ${work}/nginx.pid; error_log ${work}/logs/error.log;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http { access_log off; sendfile on; keepalive_requests 100000; client_body_temp_path ${work}/body; proxy_temp_path ${work}/proxy;
  fastcgi_temp_path ${work}/f; uwsgi_temp_path ${work}/u; scgi_temp_path ${work}/s;
  proxy_cache_path ${work}/cache levels=1:2 keys_zone=npm:64m max_size=10g inactive=7d use_temp_path=off;
  upstream up { server ${new URL(registry).host}; keepalive 32; }
  map $http_accept $doc { default full; ~install-v1 corgi; }
  map $http_accept_encoding $enc { default identity; ~gzip gzip; }
  server { listen 127.0.0.1:${port}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_set_header Accept-Encoding $enc;
    proxy_cache npm; proxy_cache_lock on; proxy_cache_lock_timeout 60s; proxy_cache_background_update on; proxy_cache_revalidate on;
    proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504; proxy_ignore_headers Cache-Control Expires Vary;
    location ~ \\.tgz$ { proxy_cache_key "$uri"; proxy_cache_valid 200 365d; proxy_pass http://up; }
    location / { proxy_cache_key "$uri|$doc|$enc"; proxy_cache_valid 200 60m; proxy_cache_valid 404 1m; proxy_pass http://up; } } }
`,
  );
  const child = pinned(SERVER_CORE, 'nginx', ['-p', work, '-c', config]);
  return up({ name: 'nginx', url: `http://127.0.0.1:${port}/`, pid: child.pid as number, stop: () => end(child) });
}

/** verdaccio at its newest, kept between runs in a folder of its own. */
export async function startVerdaccio(registry: string, work: string): Promise<BenchServer> {
  const home = join(tmpdir(), 'all-docs-bench-verdaccio');
  const main = join(home, 'node_modules', 'verdaccio', 'bin', 'verdaccio');
  if (!existsSync(main)) {
    mkdirSync(home, { recursive: true });
    // One of its dependencies asks for a tag that some mirrors do not resolve.
    writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, overrides: { 'node-fetch': '2.7.0' } }));
    const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', 'verdaccio@latest'];
    if (spawnSync('npm', install, { cwd: home, stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0)
      throw new Error('verdaccio cannot be installed');
  }
  const port = await freePort();
  const config = join(work, 'config.yaml');
  writeFileSync(
    config,
    `
storage: ${work}/storage
auth: { htpasswd: { file: ${work}/htpasswd } }
uplinks: { up: { url: "${registry}", maxage: 60m, timeout: 30s, agent_options: { keepAlive: true, maxSockets: 64, maxFreeSockets: 16 } } }
packages:
  '@*/*': { access: $all, publish: $authenticated, proxy: up }
  '**': { access: $all, publish: $authenticated, proxy: up }
web: { enable: false }
middlewares: {}
log: { type: stdout, format: json, level: fatal }
`,
  );
  const child = pinned(SERVER_CORE, process.execPath, [main, '--config', config, '--listen', `127.0.0.1:${port}`]);
  child.stdout?.resume();
  return up({ name: 'verdaccio', url: `http://127.0.0.1:${port}/`, pid: child.pid as number, stop: () => end(child) });
}

/** Seconds of CPU that a process and its children have used so far. */
export function cpuSeconds(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  return children.reduce((sum, child) => sum + cpuSeconds(Number(child)), own);
}

/** Resident memory of a process and its children, in MiB. */
export function rssMiB(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  const own = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return children.reduce((sum, child) => sum + rssMiB(Number(child)), own);
}

export function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => existsSync(folder));
  return folders.some((folder) => readdirSync(folder).includes(program));
}

async function up(server: BenchServer): Promise<BenchServer> {
  for (let tries = 0; tries < 600; tries++) {
    if (
      await fetch(`${server.url}small`).then(
        (response) => response.ok,
        () => false,
      )
    )
      return server;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${server.name} does not answer`);
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
