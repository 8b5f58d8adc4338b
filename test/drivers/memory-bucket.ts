import type { Bucket, ListedObject, ObjectStat, PutOptions, StoredObject } from '@_all_docs/worker-node/object-stores';

interface Held extends ObjectStat {
  bytes: Uint8Array;
}

/** The reference {@link Bucket}: objects in memory. `before` is waited for before each call takes its effect. */
export class MemoryBucket implements Bucket {
  readonly url = 'memory://';
  readonly maxBytes: number = 100_000_000;
  readonly objects = new Map<string, Held>();
  readonly #before: (call: string, key: string) => Promise<unknown>;
  readonly #clock: { now(): number };
  #writes = 0;

  constructor({
    before = async () => {},
    clock = Date,
  }: { before?: (call: string, key: string) => Promise<unknown>; clock?: { now(): number } } = {}) {
    this.#before = before;
    this.#clock = clock;
  }

  async check(): Promise<void> {}

  async get(
    key: string,
    { start = 0, end, version }: { start?: number; end?: number; version?: string } = {},
  ): Promise<StoredObject | undefined> {
    await this.#before('get', key);
    const held = this.objects.get(key);
    if (!held || (version !== undefined && held.version !== version)) return undefined;
    const { bytes, ...stat } = held;
    return { ...stat, body: once(bytes.slice(start, end)) };
  }

  async head(key: string): Promise<ObjectStat | undefined> {
    await this.#before('head', key);
    return this.objects.get(key);
  }

  async put(key: string, body: Uint8Array, { metadata = {}, only }: PutOptions = {}): Promise<string | undefined> {
    const bytes = body.slice();
    await this.#before('put', key);
    const held = this.objects.get(key)?.version;
    if (only !== undefined && held !== (only === 'absent' ? undefined : only.version)) return undefined;
    this.#writes += 1;
    const version = String(this.#writes);
    this.objects.set(key, { bytes, metadata, version, size: bytes.length, modifiedAt: this.#clock.now() });
    return version;
  }

  async upload(key: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of source) pieces.push(piece.slice());
    await this.put(key, Buffer.concat(pieces));
  }

  async copy(from: string, to: string, { metadata }: PutOptions = {}): Promise<void> {
    const held = this.objects.get(from);
    if (held) await this.put(to, held.bytes, { metadata });
  }

  async delete(key: string, { version }: { version?: string } = {}): Promise<boolean> {
    await this.#before('delete', key);
    const held = this.objects.get(key);
    if (version !== undefined && held?.version !== version) return false;
    this.objects.delete(key);
    return true;
  }

  async *list(prefix: string, { after, limit }: { after?: string; limit?: number } = {}): AsyncIterable<ListedObject> {
    await this.#before('list', prefix);
    const keys = [...this.objects.keys()].filter(
      (key) => key.startsWith(prefix) && (after === undefined || key > after),
    );
    for (const key of keys.sort().slice(0, limit)) {
      const held = this.objects.get(key);
      if (held) yield { key, size: held.size, modifiedAt: held.modifiedAt };
    }
  }

  async abandonUploads(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {}
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
