import {
  assertKey,
  CacheError,
  digestOf,
  type EntryMetadata,
  type StorageReader,
  type StoredEntry,
} from '@_all_docs/cache';
import { guard } from './entry.js';
import type { ConfigTexts } from './host.js';

const MAX_KEY_BYTES = 255;

/**
 * Small texts out of a Config Store (a Dictionary is the same): keys of 255 characters, values of 8,000. A reader and no
 * driver: handed in where something is written, it does not compile.
 */
export class ConfigStoreReader implements StorageReader {
  readonly #texts: ConfigTexts;

  constructor(texts: ConfigTexts) {
    this.#texts = texts;
  }

  /** The text of an item that can be one; `undefined` where there is none. */
  text(key: string): string | undefined {
    return this.#texts.get(key) ?? undefined;
  }

  /** The text as an entry. A Config Store tells no time: what it holds is as of the epoch. */
  async read(key: string): Promise<StoredEntry | undefined> {
    assertKey(key, MAX_KEY_BYTES);
    const text = await guard('ERR_STORAGE_READ', key, async () => this.text(key));
    if (text === undefined) return undefined;
    const body = new TextEncoder().encode(text);
    return { body, metadata: { storedAt: 0, encoding: 'identity', size: body.length, digest: await digestOf(body) } };
  }

  async head(key: string): Promise<EntryMetadata | undefined> {
    return (await this.read(key))?.metadata;
  }

  /** A text that is JSON; `undefined` where there is none, `ERR_CORRUPT` where it is no JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the caller knows what it stored
  get<T = any>(key: string): T | undefined {
    assertKey(key, MAX_KEY_BYTES);
    const text = this.text(key);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new CacheError('ERR_CORRUPT', `the item ${key} of the Config Store is not JSON`, { cause });
    }
  }
}
