import type { EntryMetadata } from '@_all_docs/cache';
import type { Shown } from './document-headers.js';
import type { EdgeEnv } from './edge-env.js';
import type { EdgeForm, EdgeKeys } from './edge-keys.js';
import type { EdgePull } from './edge-pull.js';
import type { EdgeStore } from './edge-store.js';
import { markOf } from './rendition.js';
import type { Settings } from './settings.js';

/** A document in one form, ready to be sent: its body is read once, or cancelled. */
export interface OpenedDocument extends Shown, EdgeForm {
  readonly metadata: EntryMetadata;
  /** Of the stored source that it is, or was made of. */
  readonly digest: string;
  /** Packed as `metadata.encoding` says. */
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  cancel(): Promise<void>;
}

export interface EdgeParts {
  settings: Settings;
  keys: EdgeKeys;
  store: EdgeStore;
  /** What asks the origin, loaded when it is needed first. */
  pull: () => Promise<EdgePull>;
}

/**
 * Documents at the edge: the source as the origin sent it, and each form that was asked for, are entries of their own, so
 * that each is found by one read. A form grows old by itself, and is then compared with its source behind an answer.
 */
export class EdgeDocuments {
  readonly #env: EdgeEnv;
  readonly #parts: EdgeParts;

  constructor(env: EdgeEnv, parts: EdgeParts) {
    this.#env = env;
    this.#parts = parts;
  }

  /** The document in a form; `undefined` where the origin has none, or it has no such version. Rejects with the trouble there was. */
  async open(name: string, form: EdgeForm): Promise<OpenedDocument | undefined> {
    const { settings, keys, store, pull } = this.#parts;
    const key = keys.form(name, form);
    const entry = key === undefined ? undefined : await store.open(key);
    const digest = entry && (keys.isSource(form) ? entry.metadata.digest : digestIn(entry.metadata.etag));
    if (!entry || digest === undefined || (await store.isRemoved(name, entry.metadata.storedAt))) {
      await entry?.cancel();
      return (await pull()).sources.open(name, form);
    }
    const { metadata, body } = entry;
    const checkedAt = this.#env.clock.now();
    const isStale = checkedAt - metadata.storedAt > settings.maxAgeMs;
    if (isStale && !settings.offline) {
      store.behind(
        name,
        pull().then(({ sources }) => sources.renewForm(name, form, digest)),
      );
    }
    const how = isStale ? 'stale' : 'hit';
    return { ...form, metadata, how, trouble: undefined, checkedAt, digest, body, cancel: () => entry.cancel() };
  }
}

/** The digest of the source in a form's mark; `undefined` for a form that older code made. */
function digestIn(etag: string | undefined): string | undefined {
  const start = markOf('');
  return etag?.startsWith(start) ? etag.slice(start.length) : undefined;
}
