import { compareBytes, type EntryMetadata, type ListOptions, StorageDriver, type StoredEntry } from '@_all_docs/cache';

export interface LaggingOptions {
  clock: { now(): number };
  /** For how long what was there before is still shown. Can be changed while it runs. */
  lagMs: number;
}

/** What was there before a change, and until when it is shown. */
interface Past {
  until: number;
  entry: StoredEntry | undefined;
}

/** An eventually consistent store, as Workers KV is: a change is acknowledged at once and seen after the lag. Without lag it is the inner driver. */
export class LaggingDriver extends StorageDriver {
  lagMs: number;
  readonly inner: StorageDriver;
  protected override readonly clock: { now(): number };
  readonly #pasts = new Map<string, Past[]>();

  constructor(inner: StorageDriver, { clock, lagMs }: LaggingOptions) {
    super();
    this.inner = inner;
    this.clock = clock;
    this.lagMs = lagMs;
  }

  async read(key: string): Promise<StoredEntry | undefined> {
    const past = this.#past(key);
    if (!past) return this.inner.read(key);
    return past.entry && { body: past.entry.body.slice(), metadata: { ...past.entry.metadata } };
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    const past = this.#past(key);
    return past ? past.entry && { ...past.entry.metadata } : this.inner.head(key);
  }

  async write(key: string, entry: StoredEntry): Promise<void> {
    await this.#change(key, () => this.inner.write(key, entry));
  }

  async delete(key: string): Promise<void> {
    await this.#change(key, () => this.inner.delete(key));
  }

  async *list(prefix = '', { after, limit = Number.POSITIVE_INFINITY }: ListOptions = {}): AsyncIterable<string> {
    const keys = new Set<string>();
    for await (const key of this.inner.list(prefix)) keys.add(key);
    for (const key of this.#pasts.keys()) if (key.startsWith(prefix)) keys.add(key);
    let given = 0;
    for (const key of [...keys].sort(compareBytes)) {
      if (given >= limit) return;
      if (after !== undefined && compareBytes(key, after) <= 0) continue;
      if (!(await this.head(key))) continue;
      given += 1;
      yield key;
    }
  }

  override close(): Promise<void> {
    return this.inner.close();
  }

  async #change(key: string, change: () => Promise<void>): Promise<void> {
    if (this.lagMs <= 0) return change();
    const entry = await this.inner.read(key);
    await change();
    const pasts = this.#pasts.get(key) ?? [];
    pasts.push({ until: this.clock.now() + this.lagMs, entry });
    this.#pasts.set(key, pasts);
  }

  #past(key: string): Past | undefined {
    const pasts = this.#pasts.get(key);
    if (!pasts) return undefined;
    const now = this.clock.now();
    while (pasts[0] && pasts[0].until <= now) pasts.shift();
    if (pasts.length === 0) this.#pasts.delete(key);
    return pasts[0];
  }
}
