import { CacheError } from '@_all_docs/cache';
import type { Clock } from '@_all_docs/http';
import type { Bucket } from './bucket.js';

const BLOBS = 'blobs/';
const REFERENCES = 'refs/';
const TOMBSTONES = 'tombstones/';
const NODES = 'nodes/';
/** Sorts before whatever a path has, so that references are listed in the order of their blobs. */
const BETWEEN = '!';
const LOOK_MS = 250;
const WAIT_MS = 30_000;
const NOTHING = new Uint8Array(0);

/**
 * Which nodes need which blobs of a bucket: an object `refs/{blob}!{node}` for each. Whoever stores or adopts a blob
 * first writes his reference, then looks for a tombstone; whoever collects first writes the tombstone, then looks for
 * references. One of the two sees the other, whatever the order, as stores are consistent.
 */
export class BlobReferences {
  readonly #bucket: Bucket;
  readonly #node: string;
  readonly #clock: Clock;

  constructor({ bucket, node, clock }: { bucket: Bucket; node: string; clock: Clock }) {
    this.#bucket = bucket;
    this.#node = node;
    this.#clock = clock;
  }

  /** Holds the blob of that path for this node, whether it is there or about to be stored; waits while it is being deleted. */
  async add(path: string): Promise<void> {
    await this.#bucket.put(this.#reference(path), NOTHING);
    for (let waited = 0; await this.#bucket.head(tombstoneOf(path)); waited += LOOK_MS) {
      if (waited >= WAIT_MS) {
        const message = `${this.#bucket.url}${path} is being deleted, and whoever does it has stopped; it can be stored after the next collection`;
        throw new CacheError('ERR_STORAGE_WRITE', message);
      }
      await this.#clock.sleep(LOOK_MS);
    }
  }

  async remove(path: string): Promise<void> {
    await this.#bucket.delete(this.#reference(path));
  }

  /** Says that this node is alive. */
  async renew(): Promise<void> {
    await this.#bucket.put(NODES + this.#node, Buffer.from(JSON.stringify({ seenAt: this.#clock.now() })));
  }

  /**
   * Gives up what this node holds though it needs it no more: a crash between holding a blob and writing down why leaves
   * such a reference. `isNeeded` is asked for those that were made before that moment.
   */
  async tidy(before: number, isNeeded: (path: string) => Promise<boolean>): Promise<number> {
    let count = 0;
    for await (const { path, node, key, modifiedAt } of listReferences(this.#bucket)) {
      if (node !== this.#node || modifiedAt > before || (await isNeeded(path))) continue;
      await this.#bucket.delete(key);
      count += 1;
    }
    return count;
  }

  #reference(path: string): string {
    return `${REFERENCES}${path.slice(BLOBS.length)}${BETWEEN}${this.#node}`;
  }
}

/** Nodes that said so after that moment. What others referred to counts no more, and they are forgotten. */
export async function livingNodes(bucket: Bucket, since: number): Promise<Set<string>> {
  const living = new Set<string>();
  for await (const { key, modifiedAt } of bucket.list(NODES)) {
    if (modifiedAt >= since) living.add(key.slice(NODES.length));
    else await bucket.delete(key);
  }
  return living;
}

export interface Reference {
  /** The blob's. */
  path: string;
  node: string;
  /** The reference's own. */
  key: string;
  modifiedAt: number;
}

/** References of all blobs in the order of their paths, or of one of them. */
export async function* listReferences(bucket: Bucket, path = BLOBS): AsyncIterable<Reference> {
  const prefix = REFERENCES + path.slice(BLOBS.length) + (path === BLOBS ? '' : BETWEEN);
  for await (const { key, modifiedAt } of bucket.list(prefix)) {
    const at = key.lastIndexOf(BETWEEN);
    if (at > 0) yield { path: BLOBS + key.slice(REFERENCES.length, at), node: key.slice(at + 1), key, modifiedAt };
  }
}

/** Where it is said that a blob is being deleted. */
export function tombstoneOf(path: string): string {
  return TOMBSTONES + path.slice(BLOBS.length);
}

/** Paths of blobs whose deletion was begun, by somebody who may not have ended it. */
export async function* listTombstones(bucket: Bucket): AsyncIterable<string> {
  for await (const { key } of bucket.list(TOMBSTONES)) yield BLOBS + key.slice(TOMBSTONES.length);
}
