import {
  createPartitionKey,
  digestOf,
  type EntryMetadata,
  encodeOrigin,
  hex,
  type OrderedStore,
  prefixRange,
  type StorageDriver,
  type StoredEntry,
  unhex,
} from '@_all_docs/cache';
import { ChangeLog, readCursor } from '@_all_docs/changes';
import { Hash, VERSION_PREFIX } from '@_all_docs/content/keys';
import { type Clock, type Codec, collect, HttpError, type Transport } from '@_all_docs/http';
import { type PublishedListing, readListing } from '@_all_docs/origin/edge';
import { documentPrefix, PackumentError } from '@_all_docs/packument/keys';
import { CloudflareApi } from './cloudflare-api.js';
import type { PushedListing, ShownListing } from './listing.js';
import { type PushBucket, type Source, type SyncCounts, type SyncEnv, type SyncPlace, syncKeys } from './sync-keys.js';

/** A replica, as every runtime opens it. */
export interface PushEnv {
  origin: string;
  registry: string;
  storage: StorageDriver;
  ordered: OrderedStore;
  /** Content of tarballs, unpacked. */
  blobs: { get(hash: Hash): Promise<{ size: number; stream(): AsyncIterable<Uint8Array> } | undefined> };
  clock: Clock;
  codec?: Codec | undefined;
  /** With retry, and at the pace of Cloudflare's API. */
  transport: Transport;
}

export interface PushOptions {
  account: string;
  /** Id of the KV namespace that is bound as `PACKUMENTS`. */
  namespace: string;
  token: string;
  /** Opens the R2 bucket that is bound as `BLOBS`, when something goes there. */
  bucket: () => Promise<PushBucket>;
  /** URL of the worker and its `WORK_SECRET`: the listing and the feed go through it. Without it they are not sent. */
  worker?: { url: string; secret: string } | undefined;
  /** Cloudflare's REST API, where it is another one. */
  api?: string | undefined;
  /** Nothing is sent: what would be is counted. */
  plan?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export type PushKind = 'documents' | 'tarballs' | 'partitions';

export interface PushResult {
  /** Of each kind: entries compared, sent, deleted, and bytes sent. Tarballs are counted by their rows; `missing` are those whose bytes are not held. */
  documents: SyncCounts;
  tarballs: SyncCounts & { blobs: number; blobBytes: number; missing: number };
  partitions: SyncCounts;
  /** `same` where the worker shows it already, `unsent` where no worker was named, `none` where the replica has none. */
  listing: 'sent' | 'same' | 'unsent' | 'none';
  changes: number;
  /** Documents that changed at the registry and wait to be fetched by `follow`: not sent. */
  waiting: number;
  requests: number;
}

export type PushEvent = { type: 'progress'; kind: PushKind } & SyncCounts;

/** Changes in one request to the worker. */
const CHANGES_AT_ONCE = 2_000;
const SMALL_BLOB = 16 * 1024 * 1024;

/**
 * Sends a replica to the edge of Cloudflare: documents and rows of tarballs to KV, tarballs and what is large to R2, listing
 * and feed to the worker. Only what differs is sent; killed at any point, the same call goes on. `ERR_CACHE_UNWRITABLE`
 * for a token or a secret that is refused, `ERR_NO_STORAGE` for an account or a namespace that is not there.
 */
export async function pushReplica(
  env: PushEnv,
  options: PushOptions,
  tell: (event: PushEvent) => void = () => {},
): Promise<PushResult> {
  const { account, namespace, token, plan = false, signal, bucket } = options;
  const api = new CloudflareApi({ transport: env.transport, account, token, url: options.api });
  const sync: SyncEnv = { api, namespace, bucket, codec: env.codec, signal, isPlan: plan };
  const listing = await readListing(env.ordered, env.origin);
  const result: PushResult = {
    documents: none(),
    tarballs: { ...none(), blobs: 0, blobBytes: 0, missing: 0 },
    partitions: none(),
    listing: listing ? 'unsent' : 'none',
    changes: 0,
    waiting: 0,
    requests: 0,
  };
  // Read before anything is sent: what is followed meanwhile comes with the feed.
  const cursor = (await readCursor({ ordered: env.ordered, origin: env.origin }))?.cursor ?? listing?.updateSeq;
  const sources: Record<PushKind, Source> = {
    documents: documents(env, result),
    tarballs: tarballs(env, options, result),
    partitions: partitions(env, listing),
  };
  // A replica that holds nothing of a kind never knew of what is there.
  for (const kind of ['documents', 'tarballs'] as const) sources[kind].isWhole = await holdsAny(sources[kind]);
  if (!listing && !sources.documents.isWhole) {
    throw new PackumentError(
      'ERR_NOT_HELD',
      `the replica holds neither documents of ${env.registry} nor a listing; check --cache, --registry and --origin`,
    );
  }
  const place = new PushPlace(env.ordered, `${account}/${namespace}`);
  const { kind: reached, ...from } = plan ? {} : await place.read();
  const kinds = Object.keys(sources) as PushKind[];
  for (const kind of kinds.slice(reached ? kinds.indexOf(reached) : 0)) {
    const counts = result[kind];
    await syncKeys(sources[kind], sync, counts, kind === reached ? from : {}, async (at) => {
      if (!plan) await place.write({ kind, ...at });
      tell({ type: 'progress', kind, ...counts });
    });
  }
  if (listing && options.worker && !plan) Object.assign(result, await publish(env, options.worker, listing, cursor));
  if (!plan) await place.clear();
  return { ...result, requests: result.requests + api.requests };
}

function documents({ storage, ordered, origin, registry }: PushEnv, result: PushResult): Source {
  const prefix = documentPrefix('full', registry);
  const changes = new ChangeLog({ ordered, origin });
  return {
    prefix,
    isWhole: true,
    keys: (after) => storage.list(prefix, { after }),
    head: (key) => storage.head(key),
    async read(key) {
      const entry = await storage.read(key);
      const change = entry && (await changes.get(unhex(key.slice(prefix.length)) as string));
      if (!change || (!change.deleted && (change.rev === undefined || change.rev === entry?.metadata.rev)))
        return entry;
      result.waiting += 1;
      return undefined;
    },
  };
}

/** Rows of tarballs; the blob goes before its row. */
function tarballs(env: PushEnv, { bucket, plan }: PushOptions, { tarballs: counts }: PushResult): Source {
  const prefix = `${VERSION_PREFIX}${encodeOrigin(env.registry)}:`;
  const entryOf = async (key: string): Promise<StoredEntry | undefined> => {
    const text = await env.ordered.get(key);
    if (text === undefined) return undefined;
    const { blob, size, at, version, integrity } = JSON.parse(text);
    const body = new TextEncoder().encode(JSON.stringify({ blob, size, at, version, integrity, pinned: true }));
    const metadata: EntryMetadata = {
      storedAt: at,
      encoding: 'identity',
      size: body.length,
      digest: await digestOf(body),
    };
    return { body, metadata };
  };
  return {
    prefix,
    isWhole: true,
    async *keys(after) {
      for await (const [key] of env.ordered.list({ ...prefixRange(prefix), after })) yield key;
    },
    head: async (key) => (await entryOf(key))?.metadata,
    async read(key) {
      const entry = await entryOf(key);
      if (!entry) return undefined;
      const hash = Hash.parse(JSON.parse(new TextDecoder().decode(entry.body)).blob);
      const blob = await env.blobs.get(hash);
      if (!blob) {
        counts.missing += 1;
        return undefined;
      }
      if (!plan && (await (await bucket()).head(hash.path))?.size === blob.size) return entry;
      counts.blobs += 1;
      counts.blobBytes += blob.size;
      if (plan) return entry;
      if (blob.size > SMALL_BLOB) await (await bucket()).upload(hash.path, blob.stream());
      else await (await bucket()).put(hash.path, await collect(blob.stream()));
      return entry;
    },
  };
}

/** The partitions of the listing that is shown; others stay where they are. */
function partitions({ storage, origin }: PushEnv, listing: PublishedListing | undefined): Source {
  const parts = listing?.parts ?? [];
  const keys = parts.map(({ startKey }, i) => createPartitionKey(startKey, parts[i + 1]?.startKey ?? null, origin));
  const digests = new Map(keys.map((key, i) => [key, parts[i]?.digest]));
  keys.sort();
  return {
    prefix: `v1:partition:${encodeOrigin(origin)}:`,
    isWhole: false,
    async *keys(after) {
      for (const key of keys) if (after === undefined || key > after) yield key;
    },
    head: (key) => storage.head(key),
    async read(key) {
      const entry = await storage.read(key);
      return entry?.metadata.digest === digests.get(key) ? entry : undefined;
    },
  };
}

/** Shows the listing at the worker: what was followed since goes first. */
async function publish(
  env: PushEnv,
  { url, secret }: { url: string; secret: string },
  listing: PublishedListing,
  cursor: number | undefined,
): Promise<Pick<PushResult, 'listing' | 'changes' | 'requests'>> {
  let requests = 0;
  const ask = async (pushed?: Omit<PushedListing, 'origin'>): Promise<ShownListing> => {
    requests += 1;
    const { status, body } = await env.transport({
      url: `${url.replace(/\/$/, '')}/listing`,
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      ...(pushed && {
        method: 'POST',
        body: new TextEncoder().encode(JSON.stringify({ origin: env.origin, ...pushed } satisfies PushedListing)),
      }),
    });
    const text = new TextDecoder().decode(body);
    if (status === 200) return JSON.parse(text);
    throw new HttpError('ERR_FETCH_FAILED', `the worker at ${url} answered ${status}: ${text.slice(0, 300)}`, {
      status,
    });
  };
  const shown = await ask();
  const isSame = JSON.stringify(shown.listing) === JSON.stringify(listing);
  const log = new ChangeLog(env);
  let changes = 0;
  for (let since = shown.listing ? (shown.head ?? 0) : 0; ; ) {
    const some = await log.after(since, CHANGES_AT_ONCE);
    if (some.length === 0) break;
    await ask({ changes: some });
    changes += some.length;
    since = some.at(-1)?.seq as number;
  }
  if (!isSame) await ask({ listing, cursor });
  return { listing: isSame ? 'same' : 'sent', changes, requests };
}

/** Where an unfinished push is, in the replica itself. */
class PushPlace {
  readonly #ordered: OrderedStore;
  readonly #key: string;

  constructor(ordered: OrderedStore, target: string) {
    this.#ordered = ordered;
    this.#key = `v1:push:${hex(target)}`;
  }

  async read(): Promise<SyncPlace & { kind?: PushKind }> {
    return JSON.parse((await this.#ordered.get(this.#key)) ?? '{}');
  }

  async write(place: SyncPlace & { kind: PushKind }): Promise<void> {
    await this.#ordered.commit([{ key: this.#key, value: JSON.stringify(place) }]);
  }

  async clear(): Promise<void> {
    await this.#ordered.commit([{ key: this.#key, value: undefined }]);
  }
}

async function holdsAny(source: Source): Promise<boolean> {
  for await (const _ of source.keys(undefined)) return true;
  return false;
}

function none(): SyncCounts {
  return { looked: 0, sent: 0, deleted: 0, bytes: 0 };
}
