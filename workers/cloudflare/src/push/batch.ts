import { CacheError } from '@_all_docs/cache';
import type { CloudflareApi, KvPair } from './cloudflare-api.js';

/** KV takes 10,000 pairs and 100 MB in one request; memory takes less. */
export const MOST_PAIRS = 10_000;
export const MOST_BYTES = 32_000_000;
const TRIES = 4;

/** Pairs on their way to KV, as many in one request as it takes. */
export class Batch {
  readonly #api: CloudflareApi;
  readonly #namespace: string;
  readonly #signal: AbortSignal | undefined;
  #pairs = new Map<string, string>();
  #bytes = 0;

  constructor(api: CloudflareApi, namespace: string, signal: AbortSignal | undefined) {
    this.#api = api;
    this.#namespace = namespace;
    this.#signal = signal;
  }

  get isFull(): boolean {
    return this.#pairs.size >= MOST_PAIRS || this.#bytes >= MOST_BYTES;
  }

  add(pair: KvPair): void {
    const text = JSON.stringify(pair);
    this.#pairs.set(pair.key, text);
    this.#bytes += text.length;
  }

  /** Resolves when all of them are stored; `ERR_STORAGE_WRITE` for some that KV does not store, however often it is asked. */
  async flush(): Promise<void> {
    for (let tries = 0; this.#pairs.size > 0; tries++) {
      if (tries === TRIES) {
        const [key] = this.#pairs.keys();
        throw new CacheError('ERR_STORAGE_WRITE', `KV does not store ${this.#pairs.size} of the pairs, such as ${key}`);
      }
      const body = new TextEncoder().encode(`[${[...this.#pairs.values()].join(',')}]`);
      const left = await this.#api.put(this.#namespace, body, this.#signal);
      this.#pairs = new Map(left.map((key) => [key, this.#pairs.get(key) as string]));
    }
    this.#bytes = 0;
  }
}
