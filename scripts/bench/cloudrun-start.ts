/**
 * From the start of the process to the first answer: the image for Cloud Run, with a bucket that holds a document, beside
 * a `node:http` server in the same image that has nothing to do. By the clock, and by the processor's time, which a busy
 * machine tells better. Interleaved rounds; ratios are of one round; median [min-max].
 *
 *   node scripts/bench/cloudrun-start.ts [ROUNDS]     needs root, for the image, and fake-gcs-server
 */
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { buildCloudRunImage, startContainer } from '../../test/servers/cloudrun.ts';
import { startGCS } from '../../test/servers/gcs.ts';
import { removeImage, runImage } from '../../test/servers/image.ts';
import { freePort } from '../../test/servers/process.ts';
import { spread, startOrigin } from './_measure.ts';

const EMPTY = 'empty node:http server';
const rounds = Number(process.argv[2] ?? 9);

const image = buildCloudRunImage();
const gcs = await startGCS();
const origin = await startOrigin('--packages', '50', '--sizes', 'small');
try {
  const bucket = await gcs.bucket();
  const env = { ...gcs.env, ALL_DOCS_BUCKET: bucket, ALL_DOCS_REGISTRY: origin.url, ALL_DOCS_ORIGIN: origin.url };
  const names = (await (await fetch(`${origin.url}/-/fake/names`)).text()).split('\n');
  const name = names.find((each) => /^[a-z]{3,}$/.test(each)) as string;
  const filling = await startContainer(image, env);
  await firstAnswer(`${filling.url}/npm/${name}`);
  await filling.stop();

  const port = await freePort();
  const empty = ['/nodejs/bin/node', '-e', `require('node:http').createServer((_, r) => r.end('x')).listen(${port})`];
  const variants: [title: string, command: string[] | undefined, path: string][] = [
    [EMPTY, empty, '/'],
    ['the service, /livez', undefined, '/livez'],
    ['the service, /readyz', undefined, '/readyz'],
    ['the service, a stored document', undefined, `/npm/${name}`],
  ];
  const times = new Map(variants.map(([title]) => [title, { wall: [] as number[], cpu: [] as number[] }]));
  for (let round = 0; round <= rounds; round++) {
    for (const [title, command, path] of variants) {
      const startedAt = performance.now();
      const child = runImage(image, { ...env, PORT: String(port) }, command);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdout?.resume();
      child.stderr?.resume();
      await firstAnswer(`http://127.0.0.1:${port}${path}`);
      if (round > 0) {
        times.get(title)?.wall.push(performance.now() - startedAt);
        times.get(title)?.cpu.push(cpuMsOf(child.pid as number));
      }
      child.kill('SIGKILL');
      await ended;
    }
  }
  for (const what of ['wall', 'cpu'] as const) {
    for (const [title, { [what]: all }] of times) {
      const ratio = all.map((ms, round) => ms / (times.get(EMPTY)?.[what][round] as number));
      console.log(
        `${what.padEnd(4)} ${title.padEnd(32)} ${spread(all).padStart(16)} ms | ${spread(ratio, 2)} of the empty server's`,
      );
    }
  }
} finally {
  origin.stop();
  await gcs.stop();
  removeImage(image);
}

/** What all threads of a process have used by now. */
function cpuMsOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.reduce((sum, task) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
    return sum + Number(ns) / 1e6;
  }, 0);
}

/** Resolves with the first 200. */
async function firstAnswer(url: string): Promise<void> {
  while (!(await answers(url))) await new Promise((resolve) => setTimeout(resolve, 1));
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false, headers: { 'accept-encoding': 'gzip' } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    }).on('error', () => resolve(false));
  });
}
