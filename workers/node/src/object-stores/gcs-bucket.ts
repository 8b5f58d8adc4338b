import { CacheError } from '@_all_docs/cache';
import { hash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ApiError, type File, IdempotencyStrategy, Storage } from '@google-cloud/storage';
import type { Dispatcher } from 'undici';
import {
  type Bucket,
  type ListedObject,
  modifiedAtOf,
  type ObjectStat,
  type PutOptions,
  type StoredObject,
} from './bucket.js';
import { type ConnectionRequest, Connections } from './connections.js';
import { brokenOff, isPassing, PATIENCE_MS, type PatienceOptions, type Trouble, withPatience } from './patience.js';

export interface GCSBucketOptions extends PatienceOptions {
  bucket: string;
  /** What all keys begin with, a slash at its end; nothing unless told. */
  prefix?: string | undefined;
  /** Google's own client; one that finds credentials by itself unless told. */
  storage?: Storage | undefined;
}

/** The largest object that GCS takes. */
const MAX_BYTES = 5 * 1024 ** 4;
/** Held in memory to be sent again; GCS takes multiples of 256 KiB. */
const CHUNK_BYTES = 4 * 1024 * 1024;
const META = 'x-goog-meta-';
/** Statuses that are answers beside those of success: absent, a condition that does not hold, a range past the end. */
const ANSWERS = new Set([404, 412, 416]);
type Kind = 'ERR_STORAGE_READ' | 'ERR_STORAGE_WRITE';
const TYPE = 'application/octet-stream';

/**
 * A {@link Bucket} in Google Cloud Storage, with generations as versions. Whole objects are read and written over our own
 * connections: one request carries bytes and metadata, and a reader who leaves takes no other connection down. The rest,
 * credentials among it, is Google's own client's.
 */
export class GCSBucket implements Bucket {
  readonly url: string;
  readonly maxBytes = MAX_BYTES;
  readonly #name: string;
  readonly #prefix: string;
  readonly #options: GCSBucketOptions;
  readonly #storage: Storage;
  readonly #connections = new Connections();
  readonly #writing = new Set<Promise<unknown>>();

  constructor(options: GCSBucketOptions) {
    const { bucket, prefix = '', patienceMs = PATIENCE_MS } = options;
    this.#name = bucket;
    this.#prefix = prefix;
    this.#options = options;
    this.#storage = options.storage ?? createStorage(patienceMs);
    this.url = `gs://${bucket}/${prefix}`;
  }

  async check(): Promise<void> {
    for await (const _ of this.list('', { limit: 1 })) return;
  }

  async get(
    key: string,
    { start, end, version }: { start?: number; end?: number; version?: string } = {},
  ): Promise<StoredObject | undefined> {
    const headers = start === undefined ? {} : { range: `bytes=${start}-${end === undefined ? '' : end - 1}` };
    const { statusCode, headers: told, body } = await this.#read('GET', key, headers, version);
    if (hasObject(statusCode)) return { ...statOf(told), body };
    if (statusCode !== 416) return undefined;
    // Past the end; of an empty object, any range is.
    const stat = await this.head(key);
    return stat && { ...stat, body: nothing() };
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    const { statusCode, headers } = await this.#read('HEAD', key, {});
    return statusCode === 200 ? statOf(headers) : undefined;
  }

  async put(
    key: string,
    body: Uint8Array,
    { metadata, contentType, only }: PutOptions = {},
  ): Promise<string | undefined> {
    const described = {
      name: this.#prefix + key,
      contentType: contentType ?? TYPE,
      metadata,
      // The store compares the digest with what it received.
      md5Hash: hash('md5', body, 'base64'),
    };
    // Drawn anew: nobody can have put it into what is stored.
    const boundary = randomUUID();
    const query = new URLSearchParams({ uploadType: 'multipart' });
    if (only) query.set('ifGenerationMatch', only === 'absent' ? '0' : only.version);
    const headers = { 'content-type': `multipart/related; boundary=${boundary}` };
    const sending = this.#send(
      { method: 'POST', headers, body: multipart(boundary, described, body) },
      { kind: 'ERR_STORAGE_WRITE', key, path: `/upload/storage/v1/b/${this.#name}/o?${query}` },
      async ({ statusCode, body: answer }) => ({ status: statusCode, said: await answer.text() }),
    );
    this.#writing.add(sending);
    const { status, said } = await sending.finally(() => this.#writing.delete(sending));
    if (status === 412) return undefined;
    // Only a bucket can be missing.
    if (status === 404) throw this.#error('ERR_STORAGE_WRITE', '', Object.assign(new Error(said), { code: status }));
    return String((JSON.parse(said) as { generation: string }).generation);
  }

  async upload(key: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces = source[Symbol.asyncIterator]();
    let broken: { error: unknown } | undefined;
    const next = async () => {
      try {
        return await pieces.next();
      } catch (error) {
        broken = { error };
        throw error;
      }
    };
    const leave = async () => (await pieces.return?.()) ?? { done: true, value: undefined };
    const watched = { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
    try {
      const options = { resumable: true, chunkSize: CHUNK_BYTES, validation: false } as const;
      await pipeline(
        Readable.from(watched, { objectMode: true, highWaterMark: 1 }),
        this.#file(key).createWriteStream(options),
      );
    } catch (error) {
      if (broken) throw broken.error;
      throw this.#error('ERR_STORAGE_WRITE', key, error);
    }
  }

  async copy(from: string, to: string, options: Pick<PutOptions, 'metadata' | 'contentType'> = {}): Promise<void> {
    const { metadata = {}, contentType = TYPE } = options;
    try {
      await this.#file(from).copy(this.#file(to), { metadata: { ...metadata }, contentType });
    } catch (error) {
      throw this.#error('ERR_STORAGE_WRITE', to, error);
    }
  }

  async delete(key: string, { version }: { version?: string } = {}): Promise<boolean> {
    try {
      await this.#file(key, version).delete(version === undefined ? {} : { ifGenerationMatch: version });
      return true;
    } catch (error) {
      if (codeOf(error) === 404 && !isNoBucket(error)) return version === undefined;
      if (codeOf(error) === 412) return false;
      throw this.#error('ERR_STORAGE_WRITE', key, error);
    }
  }

  async *list(
    prefix: string,
    { after, limit = Number.POSITIVE_INFINITY }: { after?: string; limit?: number } = {},
  ): AsyncIterable<ListedObject> {
    const query = {
      autoPaginate: false,
      prefix: this.#prefix + prefix,
      fields: 'items(name,size,updated),nextPageToken',
      ...(after === undefined ? {} : { startOffset: this.#prefix + after }),
    };
    let pageToken: string | undefined;
    for (let left = limit; left > 0; ) {
      const [files, next] = await this.#page({
        ...query,
        maxResults: Math.min(left + 1, 1_000),
        ...(pageToken ? { pageToken } : {}),
      });
      for (const { name, size, updated } of files) {
        const key = name.slice(this.#prefix.length);
        if (key === after || left <= 0) continue;
        yield { key, size: Number(size), modifiedAt: Date.parse(updated) };
        left -= 1;
      }
      pageToken = next?.pageToken;
      if (pageToken === undefined) return;
    }
  }

  /** Uploads that nobody ends leave nothing here that can be seen or is paid for: GCS forgets them after a week. */
  async abandonUploads(): Promise<number> {
    return 0;
  }

  /** Waits for writes under way. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#writing);
    await this.#connections.close();
  }

  #file(key: string, generation?: string): File {
    const options = generation === undefined ? {} : { generation };
    return this.#storage.bucket(this.#name).file(this.#prefix + key, options);
  }

  /** With `fields` the client hands out what came, not objects of its own. */
  async #page(query: object): Promise<[ListedFile[], { pageToken?: string } | null]> {
    try {
      const [files, next] = await this.#storage.bucket(this.#name).getFiles(query);
      return [files as unknown as ListedFile[], next as { pageToken?: string } | null];
    } catch (error) {
      throw this.#error('ERR_STORAGE_READ', '', error);
    }
  }

  /** The XML interface: its answers carry the metadata, too. */
  #read(
    method: 'GET' | 'HEAD',
    key: string,
    headers: Record<string, string>,
    version?: string,
  ): Promise<Dispatcher.ResponseData> {
    // Slashes too, or URL libraries would resolve dots.
    const path = `/${this.#name}/${encodeURIComponent(this.#prefix + key)}`;
    const query = version === undefined ? '' : `?generation=${version}`;
    // Bytes as they are stored, whatever they are said to be.
    const request = { method, headers: { 'accept-encoding': 'gzip', ...headers } };
    return this.#send(request, { kind: 'ERR_STORAGE_READ', key, path: path + query }, async (response) => {
      if (method === 'HEAD' || !hasObject(response.statusCode)) await response.body.dump();
      return response;
    });
  }

  /** The answer, be it that nothing is there or that a condition does not hold; asked for again while the store is in trouble. */
  #send<Answer extends object>(
    request: ConnectionRequest,
    { kind, key, path }: { kind: Kind; key: string; path: string },
    take: (response: Dispatcher.ResponseData) => Answer | Promise<Answer>,
  ): Promise<Answer> {
    const attempt = async (): Promise<Answer | Trouble> => {
      try {
        const headers = { ...(await this.#authorization()), ...request.headers };
        const response = await this.#connections.request(new URL(this.#storage.apiEndpoint + path), {
          ...request,
          headers,
        });
        const { statusCode: status } = response;
        if (status < 300 || ANSWERS.has(status)) return await take(response);
        return {
          trouble: true,
          passing: isPassing(status),
          status,
          detail: (await response.body.text()).slice(0, 200),
        };
      } catch (error) {
        return brokenOff(error);
      }
    };
    return withPatience(this.#options, attempt, ({ status, detail, cause }) =>
      this.#error(kind, key, Object.assign(new Error(detail, { cause }), { code: status })),
    );
  }

  /** For Google's own host only; an emulator asks for none. */
  async #authorization(): Promise<Record<string, string>> {
    if (this.#storage.customEndpoint) return {};
    const headers = await this.#storage.authClient.getRequestHeaders();
    const authorization = headers.get('authorization');
    return authorization === null ? {} : { authorization };
  }

  #error(kind: Kind, key: string, cause: unknown): CacheError {
    if (cause instanceof CacheError) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    const status = codeOf(cause);
    if (isNoBucket(cause) || (status === 404 && key === '')) {
      return new CacheError(
        'ERR_NO_STORAGE',
        `there is no bucket ${this.#name} in Google Cloud Storage; create it, or name another one`,
        { cause },
      );
    }
    if (/default credentials|invalid_grant/i.test(message)) {
      return new CacheError(
        'ERR_CACHE_UNWRITABLE',
        'no credentials for Google Cloud Storage: set GOOGLE_APPLICATION_CREDENTIALS, or run under a service account',
        { cause },
      );
    }
    if (status === 401 || status === 403) {
      return new CacheError(
        'ERR_CACHE_UNWRITABLE',
        `${this.url}${key} is denied (${status}); the account needs the role Storage Object User on the bucket ${this.#name}`,
        { cause },
      );
    }
    return new CacheError(kind, `${this.url}${key} failed: ${message}; ask again when the store is well`, { cause });
  }
}

/** Google's client, which tries again for so long. */
function createStorage(patienceMs: number): Storage {
  const storage = new Storage({
    retryOptions: {
      autoRetry: true,
      // Whatever is sent twice has the same effect as once, or a condition that says so.
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
      maxRetries: 20,
      maxRetryDelay: 10,
      totalTimeout: patienceMs / 1000,
    },
  });
  // For STORAGE_EMULATOR_HOST it leaves out the path of the interface.
  if (storage.customEndpoint) storage.baseUrl = `${storage.apiEndpoint}/storage/v1`;
  return storage;
}

/** An object and what is known of it as one body, as `uploadType=multipart` has it (RFC 2387). */
function multipart(boundary: string, described: object, body: Uint8Array): Uint8Array {
  const head = `--${boundary}\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(described)}\r\n--${boundary}\r\ncontent-type: ${TYPE}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from(`\r\n--${boundary}--`)]);
}

interface ListedFile {
  name: string;
  size: string;
  updated: string;
}

function statOf(headers: Dispatcher.ResponseData['headers']): ObjectStat {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(META) && typeof value === 'string') metadata[name.slice(META.length)] = value;
  }
  const whole = /\/(\d+)$/.exec(String(headers['content-range'] ?? ''))?.[1];
  return {
    size: Number(whole ?? headers['x-goog-stored-content-length'] ?? headers['content-length'] ?? 0),
    modifiedAt: modifiedAtOf(Date.parse(String(headers['last-modified'] ?? '')), metadata),
    version: String(headers['x-goog-generation'] ?? ''),
    metadata,
  };
}

/** Whether the answer's body is the object, or the range of it that was asked for. */
function hasObject(status: number): boolean {
  return status === 200 || status === 206;
}

function codeOf(error: unknown): number | undefined {
  const code = Number((error as ApiError | undefined)?.code);
  return Number.isNaN(code) ? undefined : code;
}

function isNoBucket(error: unknown): boolean {
  return codeOf(error) === 404 && /bucket does not exist/i.test((error as Error).message);
}

async function* nothing(): AsyncIterable<Uint8Array> {}
