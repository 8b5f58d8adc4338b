import { CacheError } from '@_all_docs/cache';
import {
  type Bucket,
  type ListedObject,
  modifiedAtOf,
  type ObjectStat,
  type PutOptions,
  type StoredObject,
} from './bucket.js';
import { inParts } from './in-parts.js';
import type { PatienceOptions } from './patience.js';
import { type S3Answer, S3Client } from './s3-client.js';
import type { S3Settings } from './s3-credentials.js';
import { elementsOf, escapeXml, textOf } from './s3-xml.js';

export interface S3BucketOptions extends PatienceOptions {
  bucket: string;
  /** What all keys begin with, a slash at its end; nothing unless told. */
  prefix?: string | undefined;
  settings: S3Settings;
}

/** What S3 copies in one request, and so the largest object that can be given its name here. */
const MAX_BYTES = 5 * 1024 ** 3;
/** S3 takes no part below 5 MiB but the last, and 10,000 of them. */
const PART_BYTES = 5 * 1024 * 1024;
/** Parts on their way at once. */
const PARTS = 2;
const META = 'x-amz-meta-';

/** A {@link Bucket} in Amazon's S3 or any server that speaks its protocol. */
export class S3Bucket implements Bucket {
  readonly url: string;
  readonly maxBytes = MAX_BYTES;
  readonly #client: S3Client;
  readonly #prefix: string;

  constructor({ prefix = '', ...options }: S3BucketOptions) {
    this.#client = new S3Client(options);
    this.#prefix = prefix;
    this.url = `s3://${options.bucket}/${prefix}`;
  }

  async check(): Promise<void> {
    // Not HEAD, whose answers do not say why.
    await this.#text({ method: 'GET', query: { 'list-type': '2', 'max-keys': '1', prefix: this.#prefix } });
  }

  async get(
    key: string,
    { start, end, version }: { start?: number; end?: number; version?: string } = {},
  ): Promise<StoredObject | undefined> {
    const range = start === undefined ? undefined : `bytes=${start}-${end === undefined ? '' : end - 1}`;
    const headers = { ...(range ? { range } : {}), ...(version ? { 'if-match': version } : {}) };
    const response = await this.#client.open({ method: 'GET', key: this.#prefix + key, headers });
    if (response.body) return { ...statOf(response), body: response.body };
    if (response.status !== 416) return undefined;
    // Past the end; of an empty object, any range is.
    const stat = await this.head(key);
    return stat && { ...stat, body: nothing() };
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    const response = await this.#client.send({ method: 'HEAD', key: this.#prefix + key });
    return response.status === 200 ? statOf(response) : undefined;
  }

  async put(
    key: string,
    body: Uint8Array,
    { metadata, contentType, only }: PutOptions = {},
  ): Promise<string | undefined> {
    const condition = only === 'absent' ? { 'if-none-match': '*' } : only && { 'if-match': only.version };
    const headers = { ...described(metadata, contentType), ...condition };
    const response = await this.#client.send({ method: 'PUT', key: this.#prefix + key, headers, body });
    return response.status === 200 ? (response.headers['etag'] as string) : undefined;
  }

  async upload(key: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const full = this.#prefix + key;
    const begun = await this.#text({ method: 'POST', key: full, query: { uploads: '' } });
    const uploadId = textOf(begun, 'UploadId') ?? '';
    try {
      const tags = await this.#parts(full, uploadId, source);
      const parts = tags.map(
        (tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
      );
      const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
      await this.#text({ method: 'POST', key: full, query: { uploadId }, body });
    } catch (error) {
      // What cannot be given up now is when abandoned uploads are.
      await this.#client.send({ method: 'DELETE', key: full, query: { uploadId } }).catch(() => undefined);
      throw error;
    }
  }

  async copy(
    from: string,
    to: string,
    { metadata, contentType }: Pick<PutOptions, 'metadata' | 'contentType'> = {},
  ): Promise<void> {
    const source = `/${this.#client.bucket}/${this.#prefix}${from}`;
    const headers = {
      'x-amz-copy-source': source.split('/').map(encodeURIComponent).join('/'),
      'x-amz-metadata-directive': 'REPLACE',
      ...described(metadata, contentType),
    };
    await this.#text({ method: 'PUT', key: this.#prefix + to, headers });
  }

  async delete(key: string, { version }: { version?: string } = {}): Promise<boolean> {
    const headers = version === undefined ? {} : { 'if-match': version };
    const response = await this.#client.send({ method: 'DELETE', key: this.#prefix + key, headers });
    return response.status < 300;
  }

  async *list(
    prefix: string,
    { after, limit = Number.POSITIVE_INFINITY }: { after?: string; limit?: number } = {},
  ): AsyncIterable<ListedObject> {
    const query: Record<string, string> = { 'list-type': '2', prefix: this.#prefix + prefix };
    if (after !== undefined) query['start-after'] = this.#prefix + after;
    for (let left = limit; left > 0; ) {
      const page = await this.#text({ method: 'GET', query: { ...query, 'max-keys': String(Math.min(left, 1_000)) } });
      for (const entry of elementsOf(page, 'Contents')) {
        const key = (textOf(entry, 'Key') ?? '').slice(this.#prefix.length);
        // Servers over a file system list folders, too.
        if (key.endsWith('/')) continue;
        yield { key, size: Number(textOf(entry, 'Size')), modifiedAt: Date.parse(textOf(entry, 'LastModified') ?? '') };
        left -= 1;
      }
      const next = textOf(page, 'NextContinuationToken');
      if (textOf(page, 'IsTruncated') !== 'true' || next === undefined) return;
      query['continuation-token'] = next;
    }
  }

  async abandonUploads(before: number): Promise<number> {
    let count = 0;
    const page = await this.#text({ method: 'GET', query: { uploads: '', prefix: this.#prefix } });
    for (const entry of elementsOf(page, 'Upload')) {
      const [key, uploadId] = [textOf(entry, 'Key') ?? '', textOf(entry, 'UploadId') ?? ''];
      if (!key.startsWith(this.#prefix) || !(Date.parse(textOf(entry, 'Initiated') ?? '') < before)) continue;
      await this.#client.send({ method: 'DELETE', key, query: { uploadId } });
      count += 1;
    }
    return count;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** ETags of the parts, in their order. A few are on their way while the next one is being filled. */
  async #parts(key: string, uploadId: string, source: AsyncIterable<Uint8Array>): Promise<string[]> {
    const tags: string[] = [];
    const underWay = new Set<Promise<void>>();
    let failed: { error: unknown } | undefined;
    const spare: Uint8Array[] = [];
    let number = 0;
    const send = async (at: number, body: Uint8Array) => {
      try {
        tags[at] = await this.#part(key, uploadId, at + 1, body);
        if (body.length === PART_BYTES) spare.push(body);
      } catch (error) {
        failed ??= { error };
      }
    };
    try {
      for await (const body of inParts(source, PART_BYTES, spare)) {
        if (failed) break;
        const sending = send(number++, body).then(() => void underWay.delete(sending));
        underWay.add(sending);
        if (underWay.size >= PARTS) await Promise.race(underWay);
      }
    } finally {
      await Promise.all(underWay);
    }
    if (failed) throw failed.error;
    return tags;
  }

  async #part(key: string, uploadId: string, number: number, body: Uint8Array): Promise<string> {
    const query = { partNumber: String(number), uploadId };
    const response = await this.#client.send({ method: 'PUT', key, query, body });
    const tag = response.headers['etag'];
    if (response.status === 200 && tag) return tag;
    throw new CacheError(
      'ERR_STORAGE_WRITE',
      `the upload to ${this.url} was given up by somebody else; store it again`,
    );
  }

  /** The answer's document. S3 may say 200 first and find out later that it failed. */
  async #text(asked: Parameters<S3Client['send']>[0]): Promise<string> {
    const { status, text } = await this.#client.send(asked);
    const code = /<Error[\s>]/.test(text) || status >= 300 ? (textOf(text, 'Code') ?? String(status)) : undefined;
    if (code === undefined) return text;
    throw new CacheError('ERR_STORAGE_WRITE', `${asked.method} to ${this.url} failed: ${code}; try it again`);
  }
}

function described(metadata: Readonly<Record<string, string>> = {}, contentType?: string): Record<string, string> {
  const headers: Record<string, string> = contentType === undefined ? {} : { 'content-type': contentType };
  for (const [name, value] of Object.entries(metadata)) headers[META + name] = value;
  return headers;
}

function statOf({ headers }: S3Answer): ObjectStat {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(META) && typeof value === 'string') metadata[name.slice(META.length)] = value;
  }
  const whole = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  return {
    size: Number(whole ?? headers['content-length'] ?? 0),
    modifiedAt: modifiedAtOf(Date.parse(headers['last-modified'] ?? ''), metadata),
    version: headers['etag'] ?? '',
    metadata,
  };
}

async function* nothing(): AsyncIterable<Uint8Array> {}
