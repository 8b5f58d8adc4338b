/**
 * Object stores beside their vendors' own clients, in one run: 1,000 small packuments written and read by a plain loop
 * with the same concurrency, rounds interleaved, and the memory that a blob of 200 MB takes on its way in and out, and a
 * tarball of that size on its way through `serve --storage`.
 *
 *   node scripts/bench/object-stores.ts [ROUNDS]
 */

import { GCSStorageDriver } from '@_all_docs/worker-cloudrun';
import { systemClock } from '@_all_docs/worker-node';
import { type Bucket, BucketBlobBackend, bytesOf, GCSBucket, S3Bucket } from '@_all_docs/worker-node/object-stores';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Storage } from '@google-cloud/storage';
import { startGCS } from '../../test/servers/gcs.ts';
import { startS3 } from '../../test/servers/s3.ts';
import { serve } from '../clients/command.ts';
import { measure, spread, startOrigin } from './_measure.ts';

const COUNT = 1_000;
const WIDTH = 32;
const BYTES = 10_000;
/** As the image for Cloud Run is started. */
const HEAP_FLAGS = ['--max-semi-space-size=2'];
const LARGE_BYTES = 200_000_000;
const patience = { clock: systemClock, random: Math.random };

interface Document {
  versions: Record<string, { dist: { tarball: string } }>;
}

interface Subject {
  write(key: string, body: Uint8Array): Promise<unknown>;
  read(key: string): Promise<{ length: number } | undefined>;
}

const [, , what = '5', scheme = '', name = '', bytes = ''] = process.argv;
if (what === 'write' || what === 'read') await stream(what, scheme, name, Number(bytes));
else await main(Number(what));

async function main(rounds: number): Promise<void> {
  const [s3, gcs] = await Promise.all([startS3(), startGCS()]);
  Object.assign(process.env, s3.env, gcs.env);
  try {
    if (rounds > 0) await compare('S3', rounds, await s3Subjects(await s3.bucket()));
    if (rounds > 0) await compare('GCS', rounds, await gcsSubjects(await gcs.bucket(), gcs.endpoint));
    for (const [scheme, server] of [
      ['s3', s3],
      ['gs', gcs],
    ] as const) {
      await throughServe(scheme, await server.bucket());
      const bucket = await server.bucket();
      const own = new URL(import.meta.url).pathname;
      for (const what of ['write', 'read']) {
        const peak = async (bytes: number) =>
          (await measure([...HEAP_FLAGS, own, what, scheme, bucket, String(bytes)])).maxRssKiB / 1024;
        const [least, most] = [await peak(1_000_000), await peak(LARGE_BYTES)];
        console.log(
          `${scheme}, ${what}: 200 MB take ${(most - least).toFixed(0)} MiB more than 1 MB does (${most.toFixed(0)} : ${least.toFixed(0)})`,
        );
      }
    }
  } finally {
    await Promise.all([s3.stop(), gcs.stop()]);
  }
}

/** What the shipped command takes at most, with its default options: cold, and from the bucket by another server. */
async function throughServe(scheme: string, bucket: string): Promise<void> {
  const peaks: Record<'cold' | 'warm', number[]> = { cold: [], warm: [] };
  for (const tarballBytes of [1_000_000, LARGE_BYTES]) {
    const origin = await startOrigin('--packages', '3', '--sizes', 'small', '--tarball-bytes', String(tarballBytes));
    const { rows } = await json<{ rows: { id: string }[] }>(`${origin.url}/_all_docs?limit=1`);
    const { versions } = await json<Document>(`${origin.url}/${rows[0]?.id}`);
    const path = new URL(Object.values(versions)[0]?.dist.tarball as string).pathname;
    for (const state of ['cold', 'warm'] as const) {
      const cache = mkdtempSync(join(tmpdir(), 'all-docs-object-stores-'));
      const flags = ['--storage', `${scheme}://${bucket}/${tarballBytes}`, '--registry', origin.url];
      const { base, stop } = await serve(cache, ...flags);
      const response = await fetch(`${base}/npm${path}`);
      let bytes = 0;
      for await (const piece of response.body ?? []) bytes += piece.length;
      if (!response.ok || bytes < tarballBytes / 2) throw new Error(`${response.status} after ${bytes} bytes`);
      const { process } = await json<{ process: { peakRssBytes: number } }>(`${base}/-/status.json`);
      peaks[state].push(process.peakRssBytes / 1024 ** 2);
      await stop();
      rmSync(cache, { recursive: true });
    }
    origin.stop();
  }
  for (const [state, [least = 0, most = 0]] of Object.entries(peaks)) {
    console.log(
      `${scheme}, ${state} through serve: a tarball of 200 MB takes ${(most - least).toFixed(0)} MiB more than one of 1 MB does (${most.toFixed(0)} : ${least.toFixed(0)})`,
    );
  }
}

async function json<Value>(url: string): Promise<Value> {
  return (await (await fetch(url)).json()) as Value;
}

async function compare(
  name: string,
  rounds: number,
  [ours, ...theirs]: [Subject, ...(Subject & { name: string })[]],
): Promise<void> {
  const body = Buffer.alloc(BYTES, '{"name":"a"}');
  for (const their of theirs) {
    const ratios: { write: number[]; read: number[] } = { write: [], read: [] };
    for (let round = -1; round < rounds; round++) {
      const key = (i: number) => `round${round}/${i}`;
      const times = { write: [] as number[], read: [] as number[] };
      for (const subject of round % 2 === 0 ? [ours, their] : [their, ours]) {
        const write = await timed((i) => subject.write(key(i), body));
        const read = await timed(async (i) => {
          if ((await subject.read(key(i)))?.length !== BYTES) throw new Error('read something else');
        });
        times.write[subject === ours ? 0 : 1] = write;
        times.read[subject === ours ? 0 : 1] = read;
      }
      if (round < 0) continue;
      for (const what of ['write', 'read'] as const)
        ratios[what].push((times[what][1] as number) / (times[what][0] as number));
    }
    console.log(
      `${name}, ${their.name} : ours, time for ${COUNT}: written ${spread(ratios.write, 2)}, read ${spread(ratios.read, 2)}`,
    );
  }
}

async function timed(work: (i: number) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  const all = Array.from({ length: COUNT }, (_, i) => i).values();
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      for (const i of all) await work(i);
    }),
  );
  return performance.now() - started;
}

async function s3Subjects(bucket: string): Promise<[Subject, Subject & { name: string }]> {
  const own = s3Bucket(bucket);
  const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_REGION: region = '' } = process.env;
  const client = new S3Client({ endpoint, region, forcePathStyle: true });
  return [
    {
      write: (key, body) => own.put(key, body),
      read: (key) => own.get(key).then((object) => object && bytesOf(object)),
    },
    {
      name: "the vendor's client",
      write: (key, body) => client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body })),
      read: async (key) =>
        (await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body?.transformToByteArray(),
    },
  ];
}

async function gcsSubjects(name: string, apiEndpoint: string): Promise<[Subject, ...(Subject & { name: string })[]]> {
  const driver = new GCSStorageDriver(name, { bucket: new GCSBucket({ bucket: name, ...patience }) });
  const bucket = new Storage({ apiEndpoint, projectId: 'bench' }).bucket(name);
  // For the emulator's variable the client leaves out the path of the interface.
  bucket.storage.baseUrl = `${apiEndpoint}/storage/v1`;
  const read = async (key: string) => (await bucket.file(key).download())[0];
  return [
    {
      write: (key, body) =>
        driver.write(key, { body, metadata: { storedAt: 1, encoding: 'identity', size: body.length } }),
      read: async (key) => (await driver.read(key))?.body,
    },
    { name: "the vendor's client as it comes", write: (key, body) => bucket.file(key).save(Buffer.from(body)), read },
    {
      name: "the vendor's client, not resumable",
      write: (key, body) => bucket.file(key).save(Buffer.from(body), { resumable: false }),
      read,
    },
  ];
}

function s3Bucket(bucket: string): S3Bucket {
  const { AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: region = '' } = process.env;
  const credentials = {
    accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  return new S3Bucket({ bucket, settings: { endpoint, region, credentials, pathStyle: true }, ...patience });
}

/** A blob of so many bytes into the store, or out of it; in a process of its own, whose memory is measured. */
async function stream(what: 'write' | 'read', scheme: string, name: string, bytes: number): Promise<void> {
  const bucket: Bucket = scheme === 's3' ? s3Bucket(name) : new GCSBucket({ bucket: name, ...patience });
  const backend = new BucketBlobBackend(bucket);
  async function* source() {
    // The same few buffers over and over: what is measured is what the store takes.
    const buffers = Array.from({ length: 100 }, (_, i) => Buffer.alloc(65_536, i));
    for (let left = bytes, i = 0; left > 0; left -= 65_536, i++) yield (buffers[i % 100] as Buffer).subarray(0, left);
  }
  const path = `blobs/la/${bytes}`;
  if (what === 'write') await backend.write(path, source());
  else {
    let read = 0;
    for await (const piece of (await backend.read(path)) ?? []) read += piece.length;
    if (read !== bytes) throw new Error(`read ${read} of ${bytes} bytes`);
  }
  await bucket.close();
}
