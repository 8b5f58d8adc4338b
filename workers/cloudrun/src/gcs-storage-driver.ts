import {
  assertKey,
  CacheError,
  compareBytes,
  type EntryEncoding,
  type EntryMetadata,
  type ListOptions,
  type OrderedStore,
  StorageDriver,
  type StoredEntry,
} from '@_all_docs/cache';
import { systemClock, zlibCodec } from '@_all_docs/worker-node';
import { type Bucket, BucketOrderedStore, GCSBucket, readObject } from '@_all_docs/worker-node/object-stores';
import { hash } from 'node:crypto';
import { encodeKey, keyOf, keysBehind, nameOf, SUFFIX } from './object-names.js';

export interface GCSStorageOptions {
  /** Where the objects lie; a bucket of that name by Google's own client unless told. */
  bucket?: Bucket | undefined;
  clock?: { now(): number } | undefined;
  /** Rows beside the entries; a store below `rows/` of the same bucket unless told. */
  ordered?: OrderedStore | undefined;
}

/** GCS takes names of so many bytes. */
const MAX_NAME_BYTES = 1_024;
/** Left for the bucket's prefix and for line ends in keys. */
const SPARE_BYTES = 100;
/** The object's own metadata, under which what is known of an entry lies: JSON in ASCII. */
const METADATA = 'entry';
const TYPES: Partial<Record<string, string>> = { identity: 'application/json', gzip: 'application/gzip' };

/**
 * Entries as objects named `{key}.json` of a bucket. Body and metadata are written, and read, by one request, so nobody
 * ever sees one without the other. An object that somebody else wrote under such a name is an entry, too.
 */
export class GCSStorageDriver extends StorageDriver {
  override readonly maxKeyBytes: number = MAX_NAME_BYTES - SUFFIX.length - SPARE_BYTES;
  override readonly ordered: OrderedStore;
  protected override readonly clock: { now(): number };
  readonly #bucket: Bucket;
  readonly #ownOrdered: BucketOrderedStore | undefined;

  constructor(bucketName: string, { bucket, clock = systemClock, ordered }: GCSStorageOptions = {}) {
    super();
    this.clock = clock;
    this.#bucket = bucket ?? new GCSBucket({ bucket: bucketName, clock: systemClock, random: Math.random });
    this.#ownOrdered = ordered ? undefined : new BucketOrderedStore({ bucket: this.#bucket, clock: systemClock });
    this.ordered = ordered ?? (this.#ownOrdered as BucketOrderedStore);
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    const found = await this.#read(key);
    return found && { body: found.body, metadata: found.metadata };
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    assertKey(key, this.maxKeyBytes);
    const stat = await this.#bucket.head(nameOf(key));
    if (!stat) return undefined;
    const metadata = parse(stat.metadata[METADATA]);
    // Without the body nobody knows the digest of what somebody else wrote.
    if (!metadata) return (await this.read(key))?.metadata;
    return { ...metadata, size: stat.size };
  }

  async write(key: string, { body, metadata }: StoredEntry): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await this.#put(key, body.slice(), { ...metadata });
  }

  async delete(key: string): Promise<void> {
    assertKey(key, this.maxKeyBytes);
    await this.#bucket.delete(nameOf(key));
  }

  /** Listed as objects are named: where a key is another one's beginning, the ending of names would put it behind. */
  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    let left = limit;
    if (left <= 0) return;
    for await (const key of this.#inOrder(prefix, after)) {
      if (after !== undefined && compareBytes(key, after) <= 0) continue;
      yield key;
      left -= 1;
      if (left <= 0) return;
    }
  }

  override async touch(key: string, change: Partial<EntryMetadata>): Promise<void> {
    for (;;) {
      const found = await this.#read(key);
      if (!found) return;
      if (await this.#put(key, found.body, { ...found.metadata, ...change }, found.version)) return;
    }
  }

  protected override async decode(body: Uint8Array, encoding: EntryEncoding): Promise<Uint8Array> {
    return zlibCodec.decode(body, encoding);
  }

  override async close(): Promise<void> {
    await this.#ownOrdered?.close();
    await this.#bucket.close();
  }

  override async digest(body: Uint8Array): Promise<string> {
    return `sha512-${hash('sha512', body, 'base64')}`;
  }

  async #read(key: string): Promise<(StoredEntry & { version: string }) | undefined> {
    assertKey(key, this.maxKeyBytes);
    const object = await readObject(this.#bucket, nameOf(key));
    if (!object) return undefined;
    const { version, modifiedAt, metadata: said, bytes: body } = object;
    const digest = await this.digest(body);
    const metadata = parse(said[METADATA]) ?? { storedAt: modifiedAt, encoding: 'identity', size: body.length, digest };
    if (metadata.digest !== digest && !matches(body, metadata.digest)) {
      throw new CacheError('ERR_CORRUPT', `the entry ${key} is not what was stored; delete it, or fetch it again`);
    }
    return { body, metadata: { ...metadata, size: body.length }, version };
  }

  /** `version` is what is to be replaced; anything unless told. Gives whether it was. */
  async #put(key: string, body: Uint8Array, metadata: EntryMetadata, version?: string): Promise<boolean> {
    const name = nameOf(key);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw new CacheError(
        'ERR_KEY_TOO_LONG',
        `a key with so many line ends is too long for a name: ${key.slice(0, 80)}…`,
      );
    }
    if (body.length > this.#bucket.maxBytes) {
      throw new CacheError(
        'ERR_VALUE_TOO_LARGE',
        `${key}: ${body.length} bytes are over what ${this.#bucket.url} takes as one object`,
      );
    }
    const digest = metadata.digest ?? (await this.digest(body));
    const said = { ...metadata, size: body.length, digest };
    const done = await this.#bucket.put(name, body, {
      metadata: { [METADATA]: ascii(JSON.stringify(said)) },
      contentType: TYPES[metadata.encoding] ?? 'application/octet-stream',
      ...(version === undefined ? {} : { only: { version } }),
    });
    return done !== undefined;
  }

  /** Keys in their own order. One that names put behind others is looked for before them, once. */
  async *#inOrder(prefix: string, after: string | undefined): AsyncIterable<string> {
    const start = encodeKey(prefix);
    let asked: string[] = [];
    const early = new Set<string>();
    let last: string | undefined;
    for await (const { key: name } of this.#bucket.list(
      start,
      after === undefined ? {} : { after: encodeKey(after) },
    )) {
      const key = keyOf(name);
      if (key === undefined) continue;
      asked = asked.filter((each) => name.startsWith(each));
      for (const encoded of keysBehind(name, start.length)) {
        if (asked.includes(encoded)) continue;
        asked.push(encoded);
        const behind = keyOf(encoded + SUFFIX);
        if (behind === undefined || !(await this.#bucket.head(encoded + SUFFIX))) continue;
        early.add(behind);
        if (last === undefined || compareBytes(behind, last) > 0) yield behind;
        last = behind;
      }
      // What came into being meanwhile may stand where this listing has passed.
      if (early.delete(key) || (last !== undefined && compareBytes(key, last) <= 0)) continue;
      yield key;
      last = key;
    }
  }
}

/** JSON as headers carry it. */
function ascii(json: string): string {
  return json.replace(/[\x7f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What is known of an entry; `undefined` where it was not written by us. */
function parse(said: string | undefined): EntryMetadata | undefined {
  try {
    const value = said === undefined ? undefined : JSON.parse(said);
    return typeof value?.storedAt === 'number' && typeof value.encoding === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a digest of whatever kind is that of the bytes; one that is missing says nothing. */
function matches(body: Uint8Array, digest: string | undefined): boolean {
  const [, algorithm, text] = /^(sha256|sha384|sha512)-(.+)$/.exec(digest ?? '') ?? [];
  return algorithm === undefined ? digest === undefined : hash(algorithm, body, 'base64') === text;
}
