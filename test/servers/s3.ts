import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startProcess } from './process.ts';
import { pathOf, whyMissing } from './tools.ts';

export interface S3Server {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** The variables by which S3's own tools find it. */
  env: Record<string, string>;
  /** Makes an empty bucket and gives its name. */
  bucket(): Promise<string>;
  stop(): Promise<void>;
}

/** Why no S3 server can be started here; `undefined` when one can. */
export const whyNoS3 = (): string | undefined => whyMissing('versitygw');

/** An S3 server (versitygw over a directory) on a free port. It checks signatures and keeps conditions on puts. */
export async function startS3(): Promise<S3Server> {
  const root = await mkdtemp(join(tmpdir(), 'all-docs-s3-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const region = 'us-east-1';
  const credentials = { accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key' };
  const { stop } = await startProcess(
    pathOf('versitygw'),
    ['--quiet', '--port', `127.0.0.1:${port}`, '--region', region, '--health', '/health', 'posix', root],
    {
      url: `${endpoint}/health`,
      env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
    },
  );
  let buckets = 0;
  return {
    endpoint,
    region,
    credentials,
    env: {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: region,
      AWS_ENDPOINT_URL_S3: endpoint,
    },
    async bucket() {
      buckets += 1;
      const name = `bucket-${buckets}`;
      // A directory below the root is a bucket there.
      await mkdir(join(root, name));
      return name;
    },
    async stop() {
      await stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
