import { systemClock } from '@_all_docs/worker-node';
import { GCSBlobBackend, GCSBucket, S3BlobBackend, S3Bucket } from '@_all_docs/worker-node/object-stores';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, describe } from 'vitest';
import { blobBackendContract } from '../../../test/contract/blob-backend.ts';
import { bucketContract } from '../../../test/contract/bucket.ts';
import { MemoryBucket } from '../../../test/drivers/memory-bucket.ts';
import { type GCSServer, startGCS, whyNoGCS } from '../../../test/servers/gcs.ts';
import { type S3Server, startS3, whyNoS3 } from '../../../test/servers/s3.ts';

const patience = { clock: systemClock, random: Math.random, patienceMs: 5_000 };
/** The same bucket again, by another object. */
const again = new Map<unknown, () => S3BlobBackend | GCSBlobBackend>();

function opened<Backend extends S3BlobBackend | GCSBlobBackend>(open: () => Backend): Backend {
  const backend = open();
  again.set(backend, open);
  return backend;
}
const reopen = (backend: unknown) => again.get(backend)?.() as S3BlobBackend;

const noS3 = whyNoS3();
describe.skipIf(noS3)(`S3${noS3 ? ` (off: ${noS3})` : ''}`, () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server?.stop());

  const fresh = async () => {
    const { endpoint, region, credentials } = server;
    const settings = { endpoint, region, credentials, pathStyle: true };
    return { bucket: await server.bucket(), prefix: 'some/prefix/', settings, ...patience };
  };
  bucketContract({ name: 'S3Bucket', create: async () => new S3Bucket(await fresh()) });
  blobBackendContract({
    name: 'S3BlobBackend',
    create: async () => {
      const options = await fresh();
      return opened(() => new S3BlobBackend(options));
    },
    reopen,
  });
});

const noGCS = whyNoGCS();
describe.skipIf(noGCS)(`GCS${noGCS ? ` (off: ${noGCS})` : ''}`, () => {
  let server: GCSServer;
  beforeAll(async () => {
    server = await startGCS();
  });
  afterAll(() => server?.stop());

  const fresh = async () => {
    const storage = new Storage({ apiEndpoint: server.endpoint, projectId: 'test' });
    return { bucket: await server.bucket(), prefix: 'some/prefix/', storage, ...patience };
  };
  bucketContract({ name: 'GCSBucket', create: async () => new GCSBucket(await fresh()) });
  blobBackendContract({
    name: 'GCSBlobBackend',
    create: async () => {
      const options = await fresh();
      return opened(() => new GCSBlobBackend(options));
    },
    reopen,
  });
});

bucketContract({ name: 'MemoryBucket', create: async () => new MemoryBucket() });
