/**
 * Compares the Fastly worker with the least that a Fastly app can do, both in Viceroy, side by side: the same documents
 * out of a KV Store, and a constant answer, which is a sandbox's start and little else. The worker is asked as it is
 * deployed in front of the public registry, where npm is sent a document as it is stored (`tarball_host` is `auto`), and
 * again as other clients are answered there: with tarball URLs of its own.
 *
 *   node scripts/bench/fastly.ts [--documents 20] [--rounds 60] [--json]
 *
 * All are asked in turns, so that what else the machine does hits each. Each request is a sandbox of its own.
 */
import { Agent, request } from 'node:http';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startFakeOrigin } from '../../test/fake-origin/index.ts';
import { startGuest, startWorker } from '../../test/servers/fastly.ts';

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});

interface Answer {
  status: number;
  body: Buffer;
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const NPM = { 'accept-encoding': 'gzip', 'user-agent': 'npm/12' };
const OTHER = { 'accept-encoding': 'gzip', 'user-agent': 'pnpm/11' };

const fake = await startFakeOrigin({ packages: 400, seed: 7 });
const names = [...fake.names()].filter((of) => /^[a-z]{3,}$/.test(of)).slice(0, Number(values.documents));
const worker = await startWorker(fake.url, { config: { registry: fake.url, tarball_host: 'auto' } });
const minimal = await startGuest(resolve(import.meta.dirname, 'peers/fastly-minimal.js'), {});
try {
  let bytes = 0;
  for (const of of names) {
    const { body } = await ask({ url: `${worker.url}/npm/${of}` });
    await ask({ url: `${worker.url}/npm/${of}`, headers: OTHER });
    bytes += body.length;
    const metadata = JSON.stringify({ etag: '"x"', size: body.length });
    await ask({ url: `${minimal.url}/${of}`, method: 'PUT', body, headers: { 'x-metadata': metadata } });
  }
  const documents = names.map((of) => [
    { url: `${worker.url}/npm/${of}` },
    { url: `${worker.url}/npm/${of}`, headers: OTHER },
    { url: `${minimal.url}/${of}` },
  ]);
  const [stored, own, hit] = await medians(documents, Number(values.rounds));
  const constants = [{ url: `${worker.url}/livez` }, { url: `${minimal.url}/nothing` }];
  const [start, least] = await medians([constants], Number(values.rounds) * 10);
  const result = {
    documents: names.length,
    meanBytes: Math.round(bytes / names.length),
    hit: { minimal: hit, asStored: stored, ownUrls: own, ratio: round(hit / stored), ownUrlsRatio: round(hit / own) },
    start: { minimal: least, worker: start, overMs: round(start - least) },
  };
  if (values.json) console.log(JSON.stringify(result));
  else {
    const { hit, start } = result;
    console.log(
      `${result.documents} documents of ${result.meanBytes} bytes on average, packed; medians in milliseconds`,
    );
    console.log(
      `hit, as stored: worker ${hit.asStored}, minimal ${hit.minimal}: ${hit.ratio} of the minimal app's rate (0.7 wanted)`,
    );
    console.log(
      `hit, own tarball URLs: worker ${hit.ownUrls}, minimal ${hit.minimal}: ${hit.ownUrlsRatio} of the minimal app's rate`,
    );
    console.log(`start: worker ${start.worker}, minimal ${start.minimal}: ${start.overMs} ms more (30 allowed)`);
  }
  process.exitCode = result.hit.ratio >= 0.7 && result.start.overMs <= 30 ? 0 : 1;
} finally {
  agent.destroy();
  await worker.stop();
  await minimal.stop();
  await fake.close();
}

/** Medians by place in the sets, in milliseconds. Whoever is asked first changes from round to round. */
async function medians(sets: Asked[][], rounds: number): Promise<[number, number, number]> {
  const times: [number[], number[], number[]] = [[], [], []];
  for (let round = -3; round < rounds; round++) {
    for (const set of sets) {
      for (const turn of set.keys()) {
        const which = (turn + round + 3) % set.length;
        const begun = performance.now();
        const { status } = await ask(set[which] as Asked);
        if (status !== 200) throw new Error(`${set[which]?.url} answered ${status}`);
        if (round >= 0) times[which]?.push(performance.now() - begun);
      }
    }
  }
  return times.map((list) => round(list.sort((a, b) => a - b)[list.length >> 1] ?? 0)) as [number, number, number];
}

interface Asked {
  url: string;
  method?: string;
  body?: Buffer;
  headers?: Record<string, string>;
}

function ask({ url, method = 'GET', body, headers }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(url, { method, agent, headers: { ...NPM, ...headers } }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
