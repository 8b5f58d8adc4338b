import type { CacheError, OrderedStore } from '@_all_docs/cache';
import { createStorageDriver, type EntryMetadata, encodeOrigin, hex, type StorageEnv, unhex } from '@_all_docs/cache';
import type { PackumentClient } from '@_all_docs/packument';
import { Ledger } from './ledger.js';
import { PULLED_PREFIX } from './prefixes.js';

export interface PulledOptions {
  env: StorageEnv & { ordered: OrderedStore; registry: string };
  client: PackumentClient;
  /** Most bytes of them that are kept. */
  limit: number;
  onTrouble: (error: CacheError) => void;
}

/** Which documents were pulled through and may go again. What a bootstrap brought is in no ledger, and stays. */
export class PulledDocuments {
  readonly #options: PulledOptions;
  readonly #ledger: Ledger;

  constructor(options: PulledOptions) {
    const { env, limit, onTrouble } = options;
    this.#options = options;
    this.#ledger = new Ledger({
      ordered: env.ordered,
      prefix: `${PULLED_PREFIX}${encodeOrigin(env.registry)}:`,
      limit,
      // A document of any size is stored by then; the others make room for it.
      largestPart: Number.POSITIVE_INFINITY,
      onEvict: (key, { mark }) => this.#evict(key, mark),
      onTrouble,
    });
  }

  /** Takes down that a document was stored: `before` is what was held until then. One that was brought to stay, stays. */
  async stored(name: string, before: EntryMetadata | undefined, now: EntryMetadata): Promise<void> {
    const entry = await this.#ledger.get(hex(name));
    if (before && !entry) return;
    // What somebody else wrote since we did was brought to stay.
    if (before && entry?.mark !== markOf(before)) return this.#ledger.drop(hex(name));
    await this.#ledger.put(hex(name), { size: now.size, at: now.storedAt, mark: markOf(now) });
  }

  /** The document is gone. */
  async drop(name: string): Promise<void> {
    await this.#ledger.drop(hex(name));
  }

  async #evict(hexName: string, mark: string): Promise<void> {
    const { env, client } = this.#options;
    const storage = await createStorageDriver(env);
    const key = client.keyOf(unhex(hexName) as string);
    const metadata = await storage.head(key);
    if (metadata && markOf(metadata) === mark) await storage.delete(key);
  }
}

/** Tells whether a document is still the one that was pulled through: whoever confirms or replaces it changes this. */
export function markOf({ digest, storedAt }: EntryMetadata): string {
  return `${digest} ${storedAt}`;
}
