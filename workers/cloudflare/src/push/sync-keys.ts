import { compareBytes, type EntryMetadata, type StoredEntry } from '@_all_docs/cache';
import type { Codec } from '@_all_docs/http';
import { Batch } from './batch.js';
import type { CloudflareApi, KeyPage, ListedKey } from './cloudflare-api.js';
import { type EdgeEntry, storedThere, toEdge } from './edge-entry.js';

/** Objects of R2, by its S3 API. */
export interface PushBucket {
  /** Size and metadata of an object; `undefined` on a miss. */
  head(key: string): Promise<{ size: number; metadata: Readonly<Record<string, string>> } | undefined>;
  put(key: string, body: Uint8Array, options?: { metadata?: Record<string, string> }): Promise<unknown>;
  upload(key: string, source: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Entries of one kind, as they are here. */
export interface Source {
  /** What their keys begin with. */
  prefix: string;
  /** Keys past one, in the order of their bytes. */
  keys(after: string | undefined): AsyncIterable<string>;
  head(key: string): Promise<EntryMetadata | undefined>;
  /** `undefined` for one that went meanwhile, or is not to be sent now. */
  read(key: string): Promise<StoredEntry | undefined>;
  /** Whether what is there, is not here and does not expire is to be deleted there. */
  isWhole: boolean;
}

export interface SyncCounts {
  /** Entries that were compared. */
  looked: number;
  sent: number;
  deleted: number;
  /** Of those sent, as they are stored. */
  bytes: number;
}

/** How far a source was sent. */
export interface SyncPlace {
  after?: string | undefined;
  cursor?: string | undefined;
}

export interface SyncEnv {
  api: CloudflareApi;
  namespace: string;
  bucket: () => Promise<PushBucket>;
  codec?: Codec | undefined;
  signal?: AbortSignal | undefined;
  /** Nothing is sent: it is counted. */
  isPlan: boolean;
}

/**
 * Makes KV hold what is here: a page of its keys at a time beside our own, and sends what differs. What the worker has
 * newer stays; what it pulled through goes by itself. `landed` is told of each place up to which all is stored.
 */
export async function syncKeys(
  source: Source,
  env: SyncEnv,
  counts: SyncCounts,
  { after, cursor: from }: SyncPlace,
  landed: (place: SyncPlace) => Promise<void>,
): Promise<void> {
  const batch = new Batch(env.api, env.namespace, env.signal);
  const keys = source.keys(after)[Symbol.asyncIterator]();
  let next = await keys.next();
  let last = after;
  for (let cursor = from; ; ) {
    const page = await pageAt(cursor);
    const there = new Map(
      page.keys.filter(({ name }) => last === undefined || compareBytes(name, last) > 0).map((key) => [key.name, key]),
    );
    const end = page.cursor === undefined ? undefined : page.keys.at(-1)?.name;
    while (!next.done && (end === undefined || compareBytes(next.value, end) <= 0)) {
      const key = next.value;
      await compare(key, there.get(key));
      there.delete(key);
      last = key;
      if (batch.isFull) await land({ after: last, cursor });
      next = await keys.next();
    }
    await prune([...there.values()]);
    // A page may lie wholly before the place where this goes on.
    if (end !== undefined && (last === undefined || compareBytes(end, last) > 0)) last = end;
    cursor = page.cursor;
    await land({ after: last, cursor });
    if (cursor === undefined) return;
  }

  /** A cursor that an earlier run left may not be known any more: then from the first page on. */
  async function pageAt(cursor: string | undefined): Promise<KeyPage> {
    try {
      return await env.api.keys(env.namespace, source.prefix, cursor, env.signal);
    } catch (error) {
      if (cursor === undefined || cursor !== from || (error as { status?: number }).status !== 400) throw error;
      return env.api.keys(env.namespace, source.prefix, undefined, env.signal);
    }
  }

  async function compare(key: string, found: ListedKey | undefined): Promise<void> {
    env.signal?.throwIfAborted();
    counts.looked += 1;
    const head = await source.head(key);
    if (!head) return;
    const held = found && (await heldThere(key, found));
    // One that goes by itself is sent, so that it stays.
    if (held && !found?.expiration && (held.digest === head.digest || held.storedAt > head.storedAt)) return;
    const entry = await source.read(key);
    if (!entry) return;
    const made = await toEdge(key, entry, env.codec);
    if (held && !found?.expiration && held.digest === made.digest) return;
    counts.sent += 1;
    counts.bytes += made.body.length;
    if (!env.isPlan) await send(key, made);
  }

  async function send(key: string, { body, metadata, isLarge }: EdgeEntry): Promise<void> {
    // The body first: a reference to nothing is never seen.
    if (isLarge) await (await env.bucket()).put(key, body, { metadata: { entry: metadata } });
    const value = isLarge ? '' : toBase64(body);
    batch.add({ key, value, base64: true, metadata: isLarge ? 'large' : metadata });
  }

  async function heldThere(key: string, { metadata }: ListedKey) {
    const held = storedThere(metadata);
    if (held !== 'large') return held;
    const object = await (await env.bucket()).head(key);
    const found = storedThere(object?.metadata['entry']);
    return found === 'large' ? undefined : found;
  }

  async function prune(found: ListedKey[]): Promise<void> {
    const gone = source.isWhole ? found.filter(({ expiration }) => !expiration).map(({ name }) => name) : [];
    counts.deleted += gone.length;
    if (gone.length > 0 && !env.isPlan) await env.api.delete(env.namespace, gone, env.signal);
  }

  async function land(place: SyncPlace): Promise<void> {
    await batch.flush();
    await landed(place);
  }
}

function toBase64(bytes: Uint8Array): string {
  const { toBase64: native } = bytes as { toBase64?: () => string };
  if (native) return native.call(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
