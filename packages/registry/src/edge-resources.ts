import { digestOf, type StoredEntry } from '@_all_docs/cache';
import type { Answer } from './answer.js';
import type { HeaderLookup } from './conditional.js';
import type { EdgeEnv } from './edge-env.js';
import type { EdgeSourceParts } from './edge-sources.js';
import { patiently } from './patience.js';
import { askResource, giveResource, noResource } from './resource.js';

/** Keys and attestations hardly ever change. */
const MAX_AGE_MS = 24 * 3_600_000;

/** What a registry has beside documents and tarballs, asked for once and kept: from the store, where an old one is renewed behind. */
export class EdgeResources {
  readonly #env: EdgeEnv;
  readonly #parts: EdgeSourceParts;

  constructor(env: EdgeEnv, parts: EdgeSourceParts) {
    this.#env = env;
    this.#parts = parts;
  }

  /** The origin's "there is none" is repeated as it was said. Rejects with the trouble there was. */
  async answer(path: string, headers: HeaderLookup): Promise<Answer> {
    const { settings, keys, store, codec } = this.#parts;
    const { notFoundMs, patienceMs, cacheControl, offline } = settings;
    const giving = { codec, cacheControl };
    const kept = await store.read(keys.resource(path));
    if (kept) {
      const isOld = this.#env.clock.now() - kept.metadata.storedAt > MAX_AGE_MS;
      if (isOld && !offline) store.behind(path, this.#fetch(path));
      return giveResource(kept, headers, giving);
    }
    const absent = await store.absence(path, notFoundMs);
    if (absent !== undefined) return noResource(absent);
    const fetched = await patiently(this.#env, patienceMs, path, this.#fetch(path));
    return typeof fetched === 'number' ? noResource(fetched) : giveResource(fetched, headers, giving);
  }

  async #fetch(path: string): Promise<StoredEntry | number> {
    const { settings, keys, store, transport, codec } = this.#parts;
    const { registry, clock } = this.#env;
    const body = await askResource({ registry, transport }, path, codec);
    if (typeof body === 'number') {
      await store.noteAbsence(path, body, settings.notFoundMs);
      return body;
    }
    const storedAt = clock.now();
    const digest = await digestOf(body);
    const metadata = { storedAt, encoding: 'gzip', size: body.length, digest, expiresAt: store.expiry() } as const;
    store.behind(path, store.write(keys.resource(path), { body, metadata }));
    return { body, metadata };
  }
}
