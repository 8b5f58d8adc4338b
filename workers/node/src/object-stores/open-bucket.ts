import { CacheError } from '@_all_docs/cache';
import { type Bucket, readObject } from './bucket.js';
import type { PatienceOptions } from './patience.js';

export interface OpenBucketOptions extends PatienceOptions {
  /** Where settings and credentials are looked for. */
  env: Readonly<Record<string, string | undefined>>;
}

/** A bucket and what all keys in it begin with. */
export interface BucketAddress {
  service: 's3' | 'gs';
  bucket: string;
  /** Empty, or with a slash at its end. */
  prefix: string;
}

/** Says whose the objects below the prefix are. */
const MARKER = '_all_docs';
const FORMAT = 1;

/** The parts of `s3://bucket/prefix` or `gs://bucket/prefix`; `undefined` for what is no such URL. */
export function parseBucketUrl(url: string): BucketAddress | undefined {
  const [, service, bucket, path = ''] =
    /^(s3|gs):\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/(.*))?$/.exec(url) ?? [];
  const parts = path.split('/').filter((part) => part !== '');
  const isPlain = parts.every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part));
  if (!service || !bucket || !isPlain) return undefined;
  return { service: service as 's3' | 'gs', bucket, prefix: parts.map((part) => `${part}/`).join('') };
}

/**
 * The bucket at that URL, which it reaches: what is wrong with it shows here. `ERR_NO_STORAGE` for a URL or a bucket that
 * is none, `ERR_CACHE_UNWRITABLE` for credentials that are missing or do not open it, `ERR_CACHE_FOREIGN` when something
 * else keeps its objects there, `ERR_CACHE_NEWER` for a later version of this.
 */
export async function openBucket(url: string, options: OpenBucketOptions): Promise<Bucket> {
  const address = parseBucketUrl(url);
  if (!address)
    throw new CacheError('ERR_NO_STORAGE', `${url} names no bucket; write s3://BUCKET/PREFIX or gs://BUCKET/PREFIX`);
  const bucket = await reach(address, options);
  try {
    await bucket.check();
    await claim(bucket);
    return bucket;
  } catch (error) {
    await bucket.close();
    throw error;
  }
}

/** Only the client that is needed is loaded. */
async function reach(
  { service, bucket, prefix }: BucketAddress,
  { env, ...patience }: OpenBucketOptions,
): Promise<Bucket> {
  if (service === 'gs') {
    const { GCSBucket } = await import('./gcs-bucket.js');
    return new GCSBucket({ bucket, prefix, ...patience });
  }
  const [{ S3Bucket }, { readS3Settings }] = await Promise.all([
    import('./s3-bucket.js'),
    import('./s3-credentials.js'),
  ]);
  return new S3Bucket({ bucket, prefix, settings: await readS3Settings(env), ...patience });
}

/** Leaves our mark where nothing is, and goes nowhere else. */
async function claim(bucket: Bucket): Promise<void> {
  for (let tries = 0; ; tries++) {
    const marker = await readObject(bucket, MARKER);
    if (marker) return assertOurs(bucket, Buffer.from(marker.bytes).toString());
    for await (const { key } of bucket.list('', { limit: 1 })) {
      if (key === MARKER) break;
      throw new CacheError(
        'ERR_CACHE_FOREIGN',
        `${bucket.url} holds objects of something else (${key}); create a bucket for this, or name a prefix of its own: ${bucket.url}all-docs`,
      );
    }
    const mark = Buffer.from(JSON.stringify({ format: FORMAT, of: '_all_docs' }));
    await bucket.put(MARKER, mark, { only: 'absent', contentType: 'application/json' });
    if (tries > 3)
      throw new CacheError('ERR_STORAGE_WRITE', `${bucket.url}${MARKER} cannot be read after it was written`);
  }
}

function assertOurs(bucket: Bucket, text: string): void {
  const format = /^\{"format":(\d+),"of":"_all_docs"\}$/.exec(text)?.[1];
  if (format === undefined)
    throw new CacheError('ERR_CACHE_FOREIGN', `${bucket.url}${MARKER} is not ours; name another prefix`);
  if (Number(format) <= FORMAT) return;
  throw new CacheError(
    'ERR_CACHE_NEWER',
    `${bucket.url} was written by a later version (format ${format}); update this one`,
  );
}
