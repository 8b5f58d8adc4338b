import { systemClock } from '@_all_docs/worker-node';
import { type Bucket, BucketBlobBackend, GCSBucket, openBucket, S3Bucket } from '@_all_docs/worker-node/object-stores';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { collect, noise, utf8 } from '../../../test/contract/_bytes.ts';
import { type FaultProxy, startFaultProxy } from '../../../test/servers/fault-proxy.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';
import { type S3Server, startS3, whyNoS3 } from '../../../test/servers/s3.ts';

const patience = { clock: systemClock, random: Math.random, patienceMs: 2_000 };
const LIMIT = 6_000_000;

class SmallS3Bucket extends S3Bucket {
  override readonly maxBytes = LIMIT;
}
class SmallGCSBucket extends GCSBucket {
  override readonly maxBytes = LIMIT;
}

interface Store {
  url(name: string): string;
  bucket(): Promise<string>;
  env: Record<string, string>;
  /** A bucket that says that it takes no more than the limit. */
  small(name: string): Bucket;
}

function refuses(store: () => Store): void {
  const open = async (name: string, prefix = '') =>
    openBucket(store().url(name) + prefix, { ...patience, env: store().env });

  it('a bucket that is not there: says which one to create', async () => {
    await expect(open('nobody-made-this')).rejects.toMatchObject({
      code: 'ERR_NO_STORAGE',
      message: expect.stringMatching(/no bucket nobody-made-this.*create it/),
    });
  });

  it('a bucket of something else: says so, touches nothing, and takes a prefix of its own there', async () => {
    const name = await store().bucket();
    const foreign = store().small(name);
    await foreign.put('photos/1.jpg', utf8('x'));
    await expect(open(name)).rejects.toMatchObject({
      code: 'ERR_CACHE_FOREIGN',
      message: expect.stringMatching(/photos\/1\.jpg.*all-docs/),
    });
    expect((await collect(foreign.list(''))).map(({ key }) => key)).toEqual(['photos/1.jpg']);
    await (await open(name, '/all-docs')).close();
    await foreign.close();
  });

  it.each([
    ['is not ours', '{"format":1,"of":"something else"}', 'ERR_CACHE_FOREIGN', /name another prefix/],
    ['is of a later version', '{"format":2,"of":"_all_docs"}', 'ERR_CACHE_NEWER', /format 2.*update/],
  ])('a bucket whose mark %s', async (_what, mark, code, message) => {
    const name = await store().bucket();
    const foreign = store().small(name);
    await foreign.put('_all_docs', utf8(mark));
    await expect(open(name)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await foreign.close();
  });

  it('a blob over the limit of one object: says the limit, stops reading, and leaves nothing', async () => {
    const bucket = store().small(await store().bucket());
    const backend = new BucketBlobBackend(bucket);
    let taken = 0;
    let isLeft = false;
    async function* endless() {
      const piece = noise(100_000);
      try {
        for (;;) {
          taken += piece.length;
          yield piece;
        }
      } finally {
        isLeft = true;
      }
    }
    await expect(backend.write('blobs/en/dless', endless())).rejects.toMatchObject({
      code: 'ERR_VALUE_TOO_LARGE',
      message: expect.stringContaining(String(LIMIT)),
    });
    expect([isLeft, taken < 2 * LIMIT]).toEqual([true, true]);
    expect(await collect(bucket.list(''))).toEqual([]);
    expect(await bucket.abandonUploads(Date.now() + 60_000)).toBe(0);
    await bucket.close();
  });
}

const noS3 = whyNoS3();
describe.skipIf(noS3)(`S3 refuses${noS3 ? ` (off: ${noS3})` : ''}`, () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server?.stop());

  refuses(() => ({
    url: (name) => `s3://${name}`,
    bucket: () => server.bucket(),
    env: server.env,
    small(bucket) {
      const { endpoint, region, credentials } = server;
      return new SmallS3Bucket({ bucket, settings: { endpoint, region, credentials, pathStyle: true }, ...patience });
    },
  }));
});

const noGCS = whyNoGCS();
describe.skipIf(noGCS)(`GCS refuses${noGCS ? ` (off: ${noGCS})` : ''}`, () => {
  let server: GCSServer;
  beforeAll(async () => {
    server = await startGCS();
    // Where Google's client looks by itself.
    for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server?.stop();
  });

  const storageAt = (apiEndpoint: string) => {
    const storage = new Storage({ apiEndpoint, projectId: 'test' });
    // Beside the emulator's variable the client leaves out the path of the interface.
    storage.baseUrl = `${apiEndpoint}/storage/v1`;
    return storage;
  };
  refuses(() => ({
    url: (name) => `gs://${name}`,
    bucket: () => server.bucket(),
    env: server.env,
    small: (bucket) => new SmallGCSBucket({ bucket, storage: storageAt(server.endpoint), ...patience }),
  }));

  describe('credentials, as Google says it', () => {
    let proxy: FaultProxy;
    let bucket: GCSBucket;
    afterEach(async () => {
      await bucket.close();
      await proxy.stop();
    });
    const WHO = 'it@project.iam.gserviceaccount.com';
    const json = (code: number, message: string) => JSON.stringify({ error: { code, message, errors: [] } });
    const xml = (code: string, details: string) =>
      `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>Denied.</Message><Details>${details}</Details></Error>`;

    it.each([
      [
        401,
        '401 Unauthorized',
        json(401, 'Invalid Credentials'),
        xml('AuthenticationRequired', 'Authentication required.'),
      ],
      [
        403,
        '403 Forbidden',
        json(403, `${WHO} does not have storage.objects.list access to the Google Cloud Storage bucket.`),
        xml('AccessDenied', `${WHO} does not have storage.objects.get access to the Google Cloud Storage object.`),
      ],
    ])(
      'that are denied (%i): whatever is asked says which role is missing, at once',
      async (code, status, said, document) => {
        proxy = await startFaultProxy(server.endpoint);
        const name = await server.bucket();
        bucket = new GCSBucket({ bucket: name, storage: storageAt(proxy.url), ...patience, patienceMs: 60_000 });
        await bucket.put('blobs/is/there', utf8('x'));
        proxy.decide = (line) =>
          line.includes('/storage/v1/')
            ? { status, type: 'application/json', text: said }
            : { status, type: 'application/xml', text: document };
        const before = proxy.requests;
        const backend = new BucketBlobBackend(bucket);
        async function* large() {
          for (let i = 0; i < 60; i++) yield noise(100_000, i);
        }
        const asked: Record<string, () => Promise<unknown>> = {
          check: () => bucket.check(),
          get: () => bucket.get('blobs/is/there'),
          head: () => bucket.head('blobs/is/there'),
          put: () => bucket.put('blobs/is/new', utf8('y')),
          copy: () => bucket.copy('blobs/is/there', 'blobs/is/copied'),
          delete: () => bucket.delete('blobs/is/there'),
          upload: () => backend.write('blobs/is/large', large()),
        };
        for (const [what, ask] of Object.entries(asked))
          await expect(ask(), what).rejects.toMatchObject({
            code: 'ERR_CACHE_UNWRITABLE',
            message: expect.stringMatching(new RegExp(`denied \\(${code}\\).*Storage Object User.*${name}`)),
          });
        // An upload's remains are to be deleted, too: once more than was asked.
        expect(proxy.requests - before).toBeLessThanOrEqual(Object.keys(asked).length + 1);
        proxy.decide = () => 'pass';
        expect((await collect(bucket.list(''))).map(({ key }) => key)).toEqual(['blobs/is/there']);
      },
    );
  });
});
