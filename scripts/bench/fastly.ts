/**
 * Compares the Fastly worker with the least that a Fastly app can do, both in Viceroy, side by side: the same documents
 * out of a KV Store, and a constant answer, which is a sandbox's start and little else.
 *
 *   node scripts/bench/fastly.ts [--documents 20] [--rounds 60] [--json]
 *
 * The two are asked in turns, so that what else the machine does hits both. Each request is a sandbox of its own.
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
const HEADERS = { 'accept-encoding': 'gzip', 'user-agent': 'npm/12' };

const fake = await startFakeOrigin({ packages: 400, seed: 7 });
const names = [...fake.names()].filter((of) => /^[a-z]{3,}$/.test(of)).slice(0, Number(values.documents));
const worker = await startWorker(fake.url);
const minimal = await startGuest(resolve(import.meta.dirname, 'peers/fastly-minimal.js'), {});
try {
  let bytes = 0;
  for (const of of names) {
    const { body } = await ask(`${worker.url}/npm/${of}`);
    bytes += body.length;
    await ask(`${minimal.url}/${of}`, 'PUT', body, {
      'x-metadata': JSON.stringify({ etag: '"x"', size: body.length }),
    });
  }
  const hits = await compare(
    names.map((of) => [`${worker.url}/npm/${of}`, `${minimal.url}/${of}`]),
    Number(values.rounds),
  );
  const starts = await compare([[`${worker.url}/livez`, `${minimal.url}/nothing`]], Number(values.rounds) * 10);
  const result = {
    documents: names.length,
    meanBytes: Math.round(bytes / names.length),
    hit: { ...hits, ratio: round(hits.minimal / hits.worker) },
    start: { ...starts, overMs: round(starts.worker - starts.minimal) },
  };
  if (values.json) console.log(JSON.stringify(result));
  else {
    console.log(
      `${result.documents} documents of ${result.meanBytes} bytes on average, packed; medians in milliseconds`,
    );
    console.log(
      `hit: worker ${hits.worker}, minimal ${hits.minimal}: ${result.hit.ratio} of the minimal app's rate (0.7 wanted)`,
    );
    console.log(
      `start: worker ${starts.worker}, minimal ${starts.minimal}: ${result.start.overMs} ms more (30 allowed)`,
    );
  }
  process.exitCode = result.hit.ratio >= 0.7 && result.start.overMs <= 30 ? 0 : 1;
} finally {
  agent.destroy();
  await worker.stop();
  await minimal.stop();
  await fake.close();
}

/** Medians of both, in milliseconds. */
async function compare(pairs: string[][], rounds: number): Promise<{ worker: number; minimal: number }> {
  const times: [number[], number[]] = [[], []];
  for (let round = -2; round < rounds; round++) {
    for (const pair of pairs) {
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      for (const which of order as (0 | 1)[]) {
        const begun = performance.now();
        const { status } = await ask(pair[which] as string);
        if (status !== 200) throw new Error(`${pair[which]} answered ${status}`);
        if (round >= 0) times[which].push(performance.now() - begun);
      }
    }
  }
  const [worker, minimal] = times.map((list) => round(list.sort((a, b) => a - b)[list.length >> 1] as number));
  return { worker: worker as number, minimal: minimal as number };
}

function ask(url: string, method = 'GET', sent?: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(url, { method, agent, headers: { ...HEADERS, ...headers } }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
    });
    req.on('error', reject);
    req.end(sent);
  });
}

function round(value: number): number {
  return Number(value.toFixed(2));
}
