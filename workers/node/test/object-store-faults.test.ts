import {
  type Bucket,
  BucketBlobBackend,
  BucketOrderedStore,
  GCSBucket,
  LeaseObjects,
  S3Bucket,
} from '@_all_docs/worker-node/object-stores';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, noise, sameBytes, utf8 } from '../../../test/contract/_bytes.ts';
import { type FaultProxy, startFaultProxy } from '../../../test/servers/fault-proxy.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';
import { type S3Server, startS3, whyNoS3 } from '../../../test/servers/s3.ts';

/** Sleeps pass at once, and move its time on: what takes a minute takes none. */
function quickClock() {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    sleep: async (ms: number) => {
      ahead += ms;
    },
  };
}

async function* pieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.slice(at, at + 100_000);
}

const SMALL = noise(5_000);
const LARGE = noise(20_000_000, 2);

interface World {
  proxy: FaultProxy;
  bucket: Bucket;
  backend: BucketBlobBackend;
}

function survives(world: () => World, { noResume }: { noResume?: { reason: string } } = {}): void {
  const whole = async (path: string, bytes: Uint8Array) => {
    world().proxy.decide = () => 'pass';
    const found = await world().backend.read(path);
    expect(found && sameBytes(new Uint8Array(Buffer.concat(await collect(found))), bytes)).toBe(true);
  };
  const listed = async () => collect(world().backend.list('blobs/'));

  it.each([
    ['resets each connection but every third', 'reset'],
    ['loses each answer but every third', 'drop-answer'],
    ['says SlowDown to two of three', 'slow-down'],
  ] as const)('that %s: what is stored is whole, and read back', async (_, fault) => {
    const { proxy, backend } = world();
    let count = 0;
    proxy.decide = () => (++count % 3 === 0 ? 'pass' : fault);
    await backend.write('blobs/sm/all', pieces(SMALL));
    const found = await backend.read('blobs/sm/all');
    expect(found && sameBytes(new Uint8Array(Buffer.concat(await collect(found))), SMALL)).toBe(true);
    expect(await listed()).toEqual(['blobs/sm/all']);
    expect(proxy.requests).toBeGreaterThan(4);
  });

  it('that answers after two seconds: everything takes longer, nothing else', async () => {
    const { proxy, backend } = world();
    proxy.decide = () => ({ delayMs: 2_000 });
    await backend.write('blobs/la/te', pieces(SMALL));
    expect(await backend.stat('blobs/la/te')).toMatchObject({ size: SMALL.length });
    await whole('blobs/la/te', SMALL);
  });

  it('that cuts what is read, again and again: reading goes on where it was cut', async () => {
    const { proxy, backend } = world();
    await backend.write('blobs/cu/t', pieces(LARGE));
    let count = 0;
    proxy.decide = (line) => (line.startsWith('GET') && ++count % 2 === 1 ? 'cut-answer' : 'pass');
    const found = (await backend.read('blobs/cu/t')) as AsyncIterable<Uint8Array>;
    expect(sameBytes(new Uint8Array(Buffer.concat(await collect(found))), LARGE)).toBe(true);
    expect(count).toBeGreaterThan(2);
  });

  it('that breaks in the midst of an upload: it goes on; nothing shows before it is whole', async () => {
    const { proxy, backend } = world();
    let count = 0;
    const seen = new Set<number>();
    proxy.decide = (line) => (line.startsWith('PUT') && ++count % 2 === 1 ? 'reset' : 'pass');
    async function* watched() {
      for await (const piece of pieces(LARGE)) {
        yield piece;
        if (seen.size === 0) seen.add((await listed()).length);
      }
    }
    const written = backend.write('blobs/up/load', watched());
    if (noResume) {
      await expect(written, noResume.reason).rejects.toMatchObject({ code: 'ERR_STORAGE_WRITE' });
      proxy.decide = () => 'pass';
      expect(await listed()).toEqual([]);
      await backend.write('blobs/up/load', watched());
    } else await written;
    expect([...seen]).toEqual([0]);
    await whole('blobs/up/load', LARGE);
    expect(await collect(world().bucket.list('tmp/'))).toEqual([]);
  });

  it('that says 503 for a minute is waited for; one that never ends is an error, and nothing half-visible', async () => {
    const { proxy, backend } = world();
    let until = 12;
    proxy.decide = () => (until-- > 0 ? 'slow-down' : 'pass');
    await backend.write('blobs/mi/nute', pieces(SMALL));
    expect(await backend.stat('blobs/mi/nute')).toMatchObject({ size: SMALL.length });
    proxy.decide = () => 'slow-down';
    await expect(backend.write('blobs/ne/ver', pieces(SMALL))).rejects.toMatchObject({
      code: 'ERR_STORAGE_WRITE',
      message: /SlowDown/,
    });
    await expect(backend.read('blobs/mi/nute')).rejects.toMatchObject({ code: 'ERR_STORAGE_READ' });
    proxy.decide = () => 'pass';
    expect(await backend.stat('blobs/ne/ver')).toBeUndefined();
  });

  it('that cuts answers behind their heads: rows, misses and lists are asked for again', async () => {
    const { proxy, bucket } = world();
    const rowOptions = { bucket, clock: quickClock() };
    const [leases, rows] = [new LeaseObjects(bucket), new BucketOrderedStore(rowOptions)];
    const seen = new Set<string>();
    // The first time for each request, the one that writes included.
    proxy.decide = (line) => {
      if (seen.has(line)) return 'pass';
      seen.add(line);
      return 'cut-body';
    };
    expect(await bucket.get('nothing')).toBeUndefined();
    expect(await leases.commit([{ key: 'x', value: 'a' }], [{ key: 'x', value: undefined }])).toBe(true);
    seen.clear();
    expect(await leases.get('x')).toBe('a');
    await rows.commit([{ key: 'k', value: 'v' }]);
    await rows.close();
    seen.clear();
    const again = new BucketOrderedStore(rowOptions);
    expect(await again.get('k')).toBe('v');
    await again.close();
    expect(await collect(bucket.list('leases/'))).toHaveLength(1);
    proxy.decide = (line) => (line.startsWith('GET') ? 'cut-body' : 'pass');
    await expect(leases.get('x')).rejects.toMatchObject({ code: 'ERR_STORAGE_READ', message: /breaks off/ });
  });

  it('that loses the answers to conditional writes: a lease is held by one, who knows it', async () => {
    const { proxy, bucket } = world();
    let count = 0;
    proxy.decide = (line) => (!line.startsWith('GET') && ++count % 2 === 1 ? 'drop-answer' : 'pass');
    const leases = new LeaseObjects(bucket);
    const claims = await Promise.all(
      ['a', 'b', 'c'].map((owner) => leases.commit([{ key: 'x', value: owner }], [{ key: 'x', value: undefined }])),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await leases.get('x')).toBe(['a', 'b', 'c'][claims.indexOf(true)]);
  });
}

const noS3 = whyNoS3();
describe.skipIf(noS3)(`an S3 server${noS3 ? ` (off: ${noS3})` : ''}`, () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let world: World;
  const open = async (patienceMs = 90_000) => {
    const { region, credentials } = server;
    const clock = quickClock();
    const settings = { endpoint: proxy.url, region, credentials, pathStyle: true };
    const bucket = new S3Bucket({ bucket: await server.bucket(), settings, clock, random: Math.random, patienceMs });
    return { proxy, bucket, backend: new BucketBlobBackend(bucket) };
  };
  beforeAll(async () => {
    server = await startS3();
  });
  beforeEach(async () => {
    proxy = await startFaultProxy(server.endpoint);
    world = await open();
  });
  afterEach(async () => {
    await world.bucket.close();
    await proxy.stop();
  });
  afterAll(() => server?.stop());

  survives(() => world);

  it('with parts of an upload that nobody ended: they are collected, and those of others left alone', async () => {
    const { backend, bucket } = world;
    proxy.decide = (line) => (/^(POST|DELETE) .*uploadId=/.test(line) ? 'slow-down' : 'pass');
    await expect(backend.write('blobs/or/phan', pieces(LARGE))).rejects.toMatchObject({ code: 'ERR_STORAGE_WRITE' });
    proxy.decide = () => 'pass';
    expect(await collect(bucket.list(''))).toEqual([]);
    expect(await bucket.abandonUploads(Date.now() - 3600_000)).toBe(0);
    expect(await bucket.abandonUploads(Date.now() + 60_000)).toBe(1);
    expect(await bucket.abandonUploads(Date.now() + 60_000)).toBe(0);
  });

  it('is told no secret but in signatures, and nothing is sent to where it redirects', async () => {
    const lines: string[] = [];
    proxy.decide = (line) => {
      lines.push(line);
      return 'pass';
    };
    await world.bucket.put('x', utf8('y'));
    expect(lines.join('\n')).not.toContain(server.credentials.secretAccessKey);
  });
});

const noGCS = whyNoGCS();
describe.skipIf(noGCS)(`a GCS server${noGCS ? ` (off: ${noGCS})` : ''}`, () => {
  let server: GCSServer;
  let proxy: FaultProxy;
  let world: World;
  beforeAll(async () => {
    server = await startGCS();
  });
  beforeEach(async () => {
    proxy = await startFaultProxy(server.endpoint);
    const storage = new Storage({
      apiEndpoint: proxy.url,
      projectId: 'test',
      retryOptions: { idempotencyStrategy: 0, maxRetries: 8, retryDelayMultiplier: 1.1, maxRetryDelay: 1 },
    });
    const bucket = new GCSBucket({
      bucket: await server.bucket(),
      storage,
      clock: quickClock(),
      random: Math.random,
    });
    world = { proxy, bucket, backend: new BucketBlobBackend(bucket) };
  });
  afterEach(async () => {
    await world.bucket.close();
    await proxy.stop();
  });
  afterAll(() => server?.stop());

  survives(() => world, { noResume: { reason: 'this server forgets an upload whose connection broke' } });
});
