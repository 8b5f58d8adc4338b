import { CacheError } from '@_all_docs/cache';
import { hash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import type { Dispatcher } from 'undici';
import { Connections } from './connections.js';
import { brokenOff, isPassing, type PatienceOptions, type Trouble, withPatience } from './patience.js';
import type { S3Settings } from './s3-credentials.js';
import { textOf } from './s3-xml.js';

export interface S3Request {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Key of an object; the bucket itself without it. */
  key?: string | undefined;
  query?: Readonly<Record<string, string>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: Uint8Array | undefined;
}

export interface S3Answer {
  status: number;
  headers: Readonly<Record<string, string | undefined>>;
  /** The body; nothing where {@link S3Client.open} hands it out. */
  text: string;
}

/** An object, or that it is not there, or not as the headers want it. */
export interface S3Object extends S3Answer {
  body?: Dispatcher.ResponseData['body'];
}

export interface S3ClientOptions extends PatienceOptions {
  bucket: string;
  settings: S3Settings;
}

/** Statuses that are answers; all others are trouble. */
const ANSWERS = new Set([200, 204, 206, 304, 404, 412, 416]);
const NOTHING = new Uint8Array(0);

/**
 * Signed requests to one bucket, tried again with growing pauses while the store says 5xx, SlowDown or nothing. What is
 * signed goes to the bucket's own endpoint and nowhere else: redirects are not followed.
 */
export class S3Client {
  readonly bucket: string;
  readonly #options: S3ClientOptions;
  readonly #base: URL;
  readonly #connections = new Connections();
  /** Derived keys of the day, kept by the signer. */
  readonly #keys = new Map<string, ArrayBuffer>();

  constructor(options: S3ClientOptions) {
    const { bucket, settings } = options;
    this.bucket = bucket;
    this.#options = options;
    this.#base = baseOf(bucket, settings);
  }

  /** The whole answer. `CacheError` for trouble that lasts longer than patience, and for what no asking again mends. */
  send(asked: S3Request): Promise<S3Answer> {
    return this.#patiently(asked, false);
  }

  /** An object, whose body must be read or left. Errors as {@link send}. */
  open(asked: S3Request): Promise<S3Object> {
    return this.#patiently(asked, true);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  #patiently(asked: S3Request, isOpen: boolean): Promise<S3Object> {
    return withPatience(
      this.#options,
      () => this.#attempt(asked, isOpen),
      (trouble) => this.#error(asked, trouble),
    );
  }

  async #attempt(asked: S3Request, isOpen: boolean): Promise<S3Object | Trouble> {
    try {
      const { statusCode: status, headers: told, body } = await this.#request(asked);
      const headers = told as S3Answer['headers'];
      if (isOpen && (status === 200 || status === 206)) return { status, headers, text: '', body };
      // Here, where what breaks off is asked for again.
      const text = await body.text();
      const code = textOf(text, 'Code');
      const answer = { status, headers, text };
      // A miss has nothing more to say; the bucket itself may be what is missing.
      if (status === 404 && asked.method !== 'HEAD' && asked.method !== 'DELETE') {
        if (code === undefined || code === 'NoSuchKey') return answer;
      } else if (ANSWERS.has(status)) return answer;
      const passing = isPassing(status) || PASSING.has(code ?? '');
      return { trouble: true, passing, status, code, detail: textOf(text, 'Message') };
    } catch (error) {
      return brokenOff(error);
    }
  }

  async #request({
    method,
    key,
    query = {},
    headers = {},
    body = NOTHING,
  }: S3Request): Promise<Dispatcher.ResponseData> {
    const { credentials, region } = this.#options.settings;
    const url = new URL(this.#base);
    if (key !== undefined) url.pathname += (url.pathname.endsWith('/') ? '' : '/') + encodePath(key);
    url.search = Object.entries(query)
      .map(([name, value]) => `${name}=${encode(value)}`)
      .join('&');
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      // The store compares the digest with what it received.
      headers: { ...headers, 'x-amz-content-sha256': hash('sha256', body, 'hex') },
      ...credentials,
      sessionToken: credentials.sessionToken as string,
      service: 's3',
      region,
      cache: this.#keys,
      datetime: new Date(this.#options.clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    }).sign();
    return this.#connections.request(url, {
      method,
      headers: Object.fromEntries(signed.headers),
      body: method === 'PUT' || method === 'POST' ? body : null,
    });
  }

  #error({ method, key }: S3Request, { status, code, detail, cause }: Trouble): CacheError {
    const where = `s3://${this.bucket}${key === undefined ? '' : `/${key}`}`;
    if (code === 'NoSuchBucket') {
      return new CacheError(
        'ERR_NO_STORAGE',
        `there is no bucket ${this.bucket} at ${this.#base.host}; create it, or name another one`,
      );
    }
    if (status === 301 || status === 307) {
      return new CacheError(
        'ERR_NO_STORAGE',
        `the bucket ${this.bucket} is in another region than ${this.#options.settings.region}; say which with AWS_REGION`,
      );
    }
    if (status === 401 || status === 403) {
      return new CacheError(
        'ERR_CACHE_UNWRITABLE',
        `${method} ${where} is denied (${code ?? status}); the key ${this.#options.settings.credentials.accessKeyId} needs to get, put, delete and list objects there`,
      );
    }
    if (code === 'EntityTooLarge')
      return new CacheError('ERR_VALUE_TOO_LARGE', `${where} is over the store's limit for one object`);
    const said = [status, code, detail].filter((part) => part !== undefined).join(' ');
    const kind = method === 'GET' || method === 'HEAD' ? 'ERR_STORAGE_READ' : 'ERR_STORAGE_WRITE';
    return new CacheError(kind, `${method} ${where} failed: ${said}; ask again when the store is well`, { cause });
  }
}

/** Codes of trouble that passes, whatever the status. */
const PASSING = new Set([
  'SlowDown',
  'RequestTimeout',
  'ConditionalRequestConflict',
  'OperationAborted',
  'InternalError',
  'ServiceUnavailable',
]);

function baseOf(bucket: string, { endpoint, region, pathStyle }: S3Settings): URL {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  if (pathStyle) url.pathname = `${url.pathname.replace(/\/+$/, '')}/${bucket}`;
  else url.hostname = `${bucket}.${url.hostname}`;
  return url;
}

function encodePath(key: string): string {
  return key.split('/').map(encode).join('/');
}

/** RFC 3986, as signatures have it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
