import { digestOf, type StoredEntry } from '@_all_docs/cache';
import { type Codec, type Transport, webCodec } from '@_all_docs/http';
import type { Answer } from './answer.js';
import type { HeaderLookup } from './conditional.js';
import type { EdgeEnv } from './edge-env.js';
import type { EdgeKeys } from './edge-keys.js';
import type { EdgeStore } from './edge-store.js';
import { patiently } from './patience.js';
import { askResource, giveResource, noResource } from './resource.js';
import type { Settings } from './settings.js';

/** Keys and attestations hardly ever change. */
const MAX_AGE_MS = 24 * 3_600_000;

/** What a registry has beside documents and tarballs, asked for once and kept: from the store, where an old one is renewed behind. */
export class EdgeResources {
  readonly #env: EdgeEnv;
  readonly #settings: Settings;
  readonly #store: EdgeStore;
  readonly #transport: Transport;
  readonly #codec: Codec;
  readonly #keys: EdgeKeys;

  constructor(
    env: EdgeEnv,
    {
      settings,
      keys,
      store,
      transport,
    }: { settings: Settings; keys: EdgeKeys; store: EdgeStore; transport: Transport },
  ) {
    this.#env = env;
    this.#settings = settings;
    this.#store = store;
    this.#transport = transport;
    this.#codec = env.codec ?? webCodec;
    this.#keys = keys;
  }

  /** The origin's "there is none" is repeated as it was said. Rejects with the trouble there was. */
  async answer(path: string, headers: HeaderLookup): Promise<Answer> {
    const { notFoundMs, patienceMs, cacheControl, offline } = this.#settings;
    const giving = { codec: this.#codec, cacheControl };
    const kept = await this.#store.read(this.#keys.resource(path));
    if (kept) {
      const isOld = this.#env.clock.now() - kept.metadata.storedAt > MAX_AGE_MS;
      if (isOld && !offline) this.#store.behind(path, this.#fetch(path));
      return giveResource(kept, headers, giving);
    }
    const absent = await this.#store.absence(path, notFoundMs);
    if (absent !== undefined) return noResource(absent);
    const fetched = await patiently(this.#env, patienceMs, path, this.#fetch(path));
    return typeof fetched === 'number' ? noResource(fetched) : giveResource(fetched, headers, giving);
  }

  async #fetch(path: string): Promise<StoredEntry | number> {
    const { registry, clock } = this.#env;
    const body = await askResource({ registry, transport: this.#transport }, path, this.#codec);
    if (typeof body === 'number') {
      await this.#store.noteAbsence(path, body, this.#settings.notFoundMs);
      return body;
    }
    const storedAt = clock.now();
    const digest = await digestOf(body);
    const metadata = {
      storedAt,
      encoding: 'gzip',
      size: body.length,
      digest,
      expiresAt: this.#store.expiry(),
    } as const;
    this.#store.behind(path, this.#store.write(this.#keys.resource(path), { body, metadata }));
    return { body, metadata };
  }
}
