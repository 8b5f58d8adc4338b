/**
 * Requests a second and CPU per request of the shipped `serve` beside a `node:http` server of a constant buffer (the limit
 * for Node), nginx's proxy_cache (the ceiling, no registry) and verdaccio, all in front of the same frozen registry: interleaved
 * rounds, the server on one core and the load on another. Ratios are of one round; median [min-max].
 *
 *   node scripts/bench/serve.ts [--rounds 3] [--seconds 3] [--peers nginx,verdaccio] [--only TEXT]
 *
 * Needs `wrk` and `taskset`, and for the peers `nginx` and npm; what is not installed is left out, and said.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { spread } from './_measure.ts';
import {
  type BenchServer,
  cpuSeconds,
  end,
  firstLine,
  isInstalled,
  LOAD_CORE,
  pinned,
  rssMiB,
  SERVER_CORE,
  startNginx,
  startOurs,
  startVerdaccio,
} from './_servers.ts';

const CORGI = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*';
const LIMIT = 'constant';
const OURS = '_all_docs';

interface Case {
  name: string;
  path: string;
  headers: Record<string, string>;
  /** Asks whether what was answered is still so. */
  conditional?: true;
}

interface Result {
  perSecond: number;
  cpuMicros: number;
}

const full = { accept: 'application/json' };
const gzip = { 'accept-encoding': 'gzip' };
const corgi = { accept: CORGI };
const CASES: Case[] = [
  { name: '10 KB full, identity', path: 'small', headers: full },
  { name: '10 KB full, gzip', path: 'small', headers: { ...full, ...gzip } },
  { name: '10 KB abbreviated, gzip', path: 'small', headers: { ...corgi, ...gzip } },
  { name: '300 KB full, identity', path: 'large', headers: full },
  { name: '300 KB full, gzip', path: 'large', headers: { ...full, ...gzip } },
  { name: '300 KB abbreviated, gzip', path: 'large', headers: { ...corgi, ...gzip } },
  { name: '304, 10 KB full, gzip', path: 'small', headers: { ...full, ...gzip }, conditional: true },
  { name: '304, 300 KB abbreviated, gzip', path: 'large', headers: { ...corgi, ...gzip }, conditional: true },
  { name: 'tarball 9 KB', path: 'small/-/small-1.0.0.tgz', headers: {} },
  { name: 'tarball 134 KB', path: 'large/-/large-1.0.0.tgz', headers: {} },
];

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    peers: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
  },
});
const missing = ['wrk', 'taskset'].filter((program) => !isInstalled(program));
if (missing.length > 0) {
  console.log(`skipped: ${missing.join(' and ')} not installed`);
  process.exit(0);
}
const cases = CASES.filter(({ name }) => name.includes(values.only));
const work = mkdtempSync(join(tmpdir(), 'all-docs-bench-serve-'));
const servers: BenchServer[] = [];
const origin = pinned(LOAD_CORE, process.execPath, ['scripts/bench/_frozen-origin.ts']);
try {
  const { url } = JSON.parse(await firstLine(origin));
  servers.push(await startOurs(url, join(work, 'cache'), ['--store', 'sqlite']));
  await startPeers(url);
  const limit = await startConstant(servers[0] as BenchServer);
  servers.push(limit.server);
  const rounds: Map<string, Result>[] = [];
  // The first round warms everything up and is thrown away.
  for (let round = 0; round <= Number(values.rounds); round++) {
    const results = new Map<string, Result>();
    for (const each of cases) {
      for (const server of rotate(servers, round)) {
        const target = server.name === LIMIT ? limit.urlOf(each) : server.url + each.path;
        results.set(`${each.name}|${server.name}`, await load(server, target, each));
      }
    }
    if (round > 0) rounds.push(results);
  }
  report(rounds);
} finally {
  for (const server of servers) await server.stop();
  await end(origin);
  rmSync(work, { recursive: true, force: true });
}

async function startPeers(registry: string): Promise<void> {
  for (const name of values.peers.split(',').filter(Boolean)) {
    const folder = join(work, name);
    mkdirSync(folder);
    if (name === 'nginx' && !isInstalled('nginx')) console.log('nginx is left out: it is not installed');
    else if (name === 'nginx') servers.push(await startNginx(registry, folder));
    else if (name === 'verdaccio') servers.push(await startVerdaccio(registry, folder));
    else throw new Error(`no peer of that name: ${name}`);
  }
}

/** The limit: a server that sends, on a port for each case, the very bytes and headers that ours sends. */
async function startConstant(ours: BenchServer): Promise<{ server: BenchServer; urlOf(each: Case): string }> {
  const child = pinned(SERVER_CORE, process.execPath, ['scripts/bench/_constant-server.ts'], 'pipe');
  const constants = await Promise.all(
    cases.map(async (each) => {
      const { status, headers, body } = await answerOf(
        ours.url + each.path,
        await headersOf(ours.url + each.path, each),
      );
      const own = [...headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name));
      return { status, headers: own.flat(), body: body.toString('base64') };
    }),
  );
  child.stdin?.end(JSON.stringify(constants));
  const { ports } = JSON.parse(await firstLine(child));
  return {
    server: { name: LIMIT, url: '', pid: child.pid as number, stop: () => end(child) },
    urlOf: (each) => `http://127.0.0.1:${ports[cases.indexOf(each)]}/`,
  };
}

/** An answer as it is on the wire: `fetch` would unpack it, wrk's Lua is not needed for one. */
async function answerOf(url: string, headers: Record<string, string>) {
  const { request } = await import('node:http');
  return new Promise<{ status: number; headers: Headers; body: Buffer }>((resolve, reject) => {
    request(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
          body: Buffer.concat(chunks),
        }),
      );
    })
      .on('error', reject)
      .end();
  });
}

async function headersOf(url: string, { headers, conditional }: Case): Promise<Record<string, string>> {
  if (!conditional) return headers;
  const etag = (await answerOf(url, headers)).headers.get('etag');
  return etag === null ? headers : { ...headers, 'if-none-match': etag };
}

async function load(server: BenchServer, url: string, each: Case): Promise<Result> {
  const headers = server.name === LIMIT ? each.headers : await headersOf(url, each);
  const args = [
    '-t2',
    '-c32',
    `-d${values.seconds}s`,
    ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
  ];
  const before = cpuSeconds(server.pid);
  const { stdout, status } = spawnSync('taskset', ['-c', LOAD_CORE, 'wrk', ...args, url], { encoding: 'utf8' });
  const cpu = cpuSeconds(server.pid) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (status !== 0 || !(requests > 0) || /Non-2xx/.test(stdout)) {
    // verdaccio may not finish one large document in the time.
    if (server.name !== OURS && status === 0) return { perSecond: 0, cpuMicros: Number.NaN };
    throw new Error(`${server.name}, ${each.name}: ${stdout}`);
  }
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), cpuMicros: (cpu * 1e6) / requests };
}

function report(rounds: Map<string, Result>[]): void {
  console.log(
    `${rounds.length} rounds of ${values.seconds} s, wrk -t2 -c32, server on core ${SERVER_CORE}; median [min-max]`,
  );
  const names = servers.map(({ name }) => name);
  for (const each of cases) {
    console.log(`\n${each.name}`);
    const of = (round: Map<string, Result>, name: string) => round.get(`${each.name}|${name}`) as Result;
    for (const name of names) {
      const speed = spread(rounds.map((round) => of(round, name).perSecond));
      const cpu = spread(
        rounds.map((round) => of(round, name).cpuMicros),
        1,
      );
      const toOurs = spread(
        rounds.map((round) => of(round, OURS).perSecond / of(round, name).perSecond),
        2,
      );
      const cpuToOurs = spread(
        rounds.map((round) => of(round, name).cpuMicros / of(round, OURS).cpuMicros),
        2,
      );
      const ratios = name === OURS ? '' : ` | ours : this ${toOurs}, by CPU ${cpuToOurs}`;
      console.log(`  ${name.padEnd(10)} ${speed.padStart(24)} req/s | ${cpu.padStart(20)} us CPU${ratios}`);
    }
  }
  console.log('');
  for (const { name, pid } of servers) console.log(`resident after it all: ${name} ${rssMiB(pid).toFixed(0)} MiB`);
}

/** Another one goes first in each round. */
function rotate<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
