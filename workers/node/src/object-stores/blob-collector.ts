import type { Clock } from '@_all_docs/http';
import { listReferences, listTombstones, livingNodes, tombstoneOf } from './blob-references.js';
import type { Bucket } from './bucket.js';
import { UPLOADS } from './bucket-blob-backend.js';
import { LEASES, LeaseObjects } from './lease-objects.js';

export interface BlobCollectorOptions {
  bucket: Bucket;
  /** Names this process among all that share the bucket. */
  owner: string;
  clock: Clock;
  /** How long a blob stays that nobody refers to, and an upload that nobody ends; an hour unless told. */
  graceMs?: number | undefined;
  /** How long what a node refers to counts after it was seen last; 7 days unless told. */
  nodeMs?: number | undefined;
  /** How long others wait for a collector that died; two minutes unless told. */
  leaseMs?: number | undefined;
}

/** What a collection deleted. */
export interface Collected {
  blobs: number;
  bytes: number;
  /** Uploads that nobody ended. */
  uploads: number;
}

const LEASE = 'collector';
const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const NOTHING = new Uint8Array(0);

/**
 * Deletes the blobs of a bucket that no living node refers to. One collector at a time: it holds a lease, and deletes
 * only while that has some time left. What a collector that died left half done, the next one ends.
 */
export class BlobCollector {
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #leases: LeaseObjects;
  readonly #options: { owner: string; graceMs: number; nodeMs: number; leaseMs: number };
  #lease: { text: string; until: number } | undefined;

  constructor({
    bucket,
    clock,
    owner,
    graceMs = HOUR_MS,
    nodeMs = 7 * DAY_MS,
    leaseMs = 120_000,
  }: BlobCollectorOptions) {
    this.#bucket = bucket;
    this.#clock = clock;
    this.#leases = new LeaseObjects(bucket);
    this.#options = { owner, graceMs, nodeMs, leaseMs };
  }

  /** One pass over the bucket; `undefined` when another collector is at it, or took over. */
  async run(): Promise<Collected | undefined> {
    const held = await this.#leases.get(LEASE);
    if (held !== undefined && Number.parseInt(held, 10) > this.#clock.now()) return undefined;
    if (!(await this.#take(held))) return undefined;
    try {
      return await this.#collect();
    } finally {
      const { text } = this.#lease ?? {};
      this.#lease = undefined;
      if (text !== undefined)
        await this.#leases.commit([{ key: LEASE, value: undefined }], [{ key: LEASE, value: text }]);
    }
  }

  async #collect(): Promise<Collected | undefined> {
    const before = this.#clock.now() - this.#options.graceMs;
    const living = await livingNodes(this.#bucket, this.#clock.now() - this.#options.nodeMs);
    const collected: Collected = { blobs: 0, bytes: 0, uploads: 0 };
    for await (const path of listTombstones(this.#bucket)) {
      if (!(await this.#delete(path, before, living, collected))) return undefined;
    }
    const referred = new Pointer(referredPaths(this.#bucket, living));
    for await (const { key: path, modifiedAt } of this.#bucket.list('blobs/')) {
      if (modifiedAt > before || (await referred.has(path))) continue;
      if (!(await this.#delete(path, before, living, collected))) return undefined;
    }
    for await (const { key, modifiedAt } of this.#bucket.list(UPLOADS)) {
      if (modifiedAt > before) continue;
      await this.#bucket.delete(key);
      collected.uploads += 1;
    }
    collected.uploads += await this.#bucket.abandonUploads(before);
    for await (const { key, modifiedAt } of this.#bucket.list(LEASES)) {
      if (modifiedAt < this.#clock.now() - DAY_MS) await this.#bucket.delete(key);
    }
    return collected;
  }

  /** Deletes a blob unless somebody refers to it by now; `false` when the lease is lost. */
  async #delete(path: string, before: number, living: ReadonlySet<string>, collected: Collected): Promise<boolean> {
    if (!(await this.#keep())) return false;
    await this.#bucket.put(tombstoneOf(path), NOTHING);
    const dead: string[] = [];
    let isNeeded = false;
    for await (const { node, key } of listReferences(this.#bucket, path)) {
      // A node that came since the pass began is as alive as the others.
      if (living.has(node) || (await this.#bucket.head(`nodes/${node}`))) isNeeded = true;
      else dead.push(key);
    }
    const stat = isNeeded ? undefined : await this.#bucket.head(path);
    if (!isNeeded && (!stat || stat.modifiedAt <= before)) {
      if (!(await this.#keep())) return false;
      if (stat && (await this.#bucket.delete(path, { version: stat.version }))) {
        collected.blobs += 1;
        collected.bytes += stat.size;
      }
      for (const key of dead) await this.#bucket.delete(key);
    }
    await this.#bucket.delete(tombstoneOf(path));
    return true;
  }

  /** Renews the lease while half of it is left; `false` when it is somebody else's. */
  async #keep(): Promise<boolean> {
    const { leaseMs } = this.#options;
    if (this.#lease && this.#lease.until - this.#clock.now() > leaseMs / 2) return true;
    return this.#take(this.#lease?.text);
  }

  async #take(from: string | undefined): Promise<boolean> {
    const until = this.#clock.now() + this.#options.leaseMs;
    const text = `${until} ${this.#options.owner}`;
    const isMine = await this.#leases.commit([{ key: LEASE, value: text }], [{ key: LEASE, value: from }]);
    this.#lease = isMine ? { text, until } : undefined;
    return isMine;
  }
}

async function* referredPaths(bucket: Bucket, living: ReadonlySet<string>): AsyncIterable<string> {
  for await (const { path, node } of listReferences(bucket)) if (living.has(node)) yield path;
}

/** Looks for ever greater paths in a sorted listing, which is read once. */
class Pointer {
  readonly #paths: AsyncIterator<string>;
  #at: string | undefined = '';

  constructor(sorted: AsyncIterable<string>) {
    this.#paths = sorted[Symbol.asyncIterator]();
  }

  async has(path: string): Promise<boolean> {
    while (this.#at !== undefined && this.#at < path) {
      const { done, value } = await this.#paths.next();
      this.#at = done ? undefined : value;
    }
    return this.#at === path;
  }
}
