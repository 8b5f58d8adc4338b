import type { EntryMetadata, OpenedEntry } from '@_all_docs/cache';
import { type Answer, notFound } from './answer.js';
import { baseFor } from './base-url.js';
import { type HeaderLookup, isUnchanged } from './conditional.js';
import { bodyHeaders, commonHeaders, lastModifiedOf, type Shown } from './document-headers.js';
import type { EdgeEnv } from './edge-env.js';
import type { EdgeForm, EdgeKeys } from './edge-keys.js';
import type { EdgePull } from './edge-pull.js';
import type { EdgeStore } from './edge-store.js';
import { RegistryError } from './errors.js';
import { acceptsGzip, negotiateForm } from './negotiate.js';
import { etagOf, markOf, type Part } from './rendition.js';
import type { Settings } from './settings.js';

type DocumentRoute =
  | { kind: 'packument' | 'dist-tags'; name: string }
  | { kind: 'version'; name: string; wanted: string };

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
 * that each is found by one read, and goes out as it is stored; a client that holds it already is told so from its metadata.
 * A form grows old by itself, and is then compared with its source behind an answer.
 */
export class EdgeDocuments {
  readonly #env: EdgeEnv;
  readonly #parts: EdgeParts;

  constructor(env: EdgeEnv, parts: EdgeParts) {
    this.#env = env;
    this.#parts = parts;
  }

  /**
   * 404 where the origin has none, or it has no such version. Rejects with the trouble there was, `ERR_BAD_HOST` where our
   * own URLs cannot be made.
   */
  async answer(route: DocumentRoute, method: string, headers: HeaderLookup): Promise<Answer> {
    const { keys, store, pull } = this.#parts;
    const { name } = route;
    const form = this.#form(route, headers);
    const key = keys.form(name, form);
    const entry = key === undefined ? undefined : await store.open(key);
    const digest = entry && (keys.isSource(form) ? entry.metadata.digest : digestIn(entry.metadata.etag));
    let opened: OpenedDocument | undefined;
    if (entry && digest !== undefined && !(await store.isRemoved(name, entry.metadata.storedAt))) {
      opened = this.#held(name, form, entry, digest);
    } else {
      await entry?.cancel();
      opened = await (await pull()).sources.open(name, form);
    }
    if (!opened) return notFound(route.kind === 'version' ? `version not found: ${route.wanted}` : undefined);
    const { answer, isAsStored } = this.#describe(opened, headers);
    if (answer.status === 304 || method === 'HEAD') {
      await opened.cancel();
      return answer;
    }
    const body = isAsStored ? opened.body : await this.#plain(opened.body, opened.metadata.encoding);
    return { ...answer, body };
  }

  #form(route: DocumentRoute, headers: HeaderLookup): EdgeForm {
    const { settings } = this.#parts;
    const part = this.#part(route, headers);
    const base = part === 'dist-tags' ? '' : baseFor(headers, settings);
    if (base === undefined) throw new RegistryError('ERR_BAD_HOST', 'the Host header names no host');
    return { part, base };
  }

  #part(route: DocumentRoute, headers: HeaderLookup): Part {
    if (route.kind === 'version') return `version ${route.wanted}`;
    if (route.kind === 'dist-tags') return route.kind;
    return this.#parts.settings.form === 'full' ? negotiateForm(headers('accept')) : 'abbreviated';
  }

  /** What is stored, as old as it may be: an old form is compared with its source behind the answer. */
  #held(name: string, form: EdgeForm, entry: OpenedEntry, digest: string): OpenedDocument {
    const { settings, store, pull } = this.#parts;
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

  /** The answer without its body, and whether that is sent as it is stored. */
  #describe(opened: OpenedDocument, headers: HeaderLookup): { answer: Answer; isAsStored: boolean } {
    const { metadata, digest, part, base } = opened;
    const { encoding, size } = metadata;
    const gzip = encoding === 'gzip' && acceptsGzip(headers('accept-encoding'));
    const variant = { part, base, gzip };
    const etag = etagOf(variant, digest);
    const lastModified = lastModifiedOf(metadata);
    const common = commonHeaders(etag, opened, this.#parts.settings);
    const isAsStored = gzip || encoding === 'identity';
    if (isUnchanged(headers, etag, lastModified)) {
      return { answer: { status: 304, headers: common, body: undefined }, isAsStored };
    }
    const said = bodyHeaders(variant, lastModified, isAsStored ? size : undefined).concat(common);
    return { answer: { status: 200, headers: said, body: undefined }, isAsStored };
  }

  /** Unpacked while it is sent, as far as every platform can do that. */
  async #plain(
    body: OpenedDocument['body'],
    encoding: OpenedDocument['metadata']['encoding'],
  ): Promise<Answer['body']> {
    const stream = new Response(body as BodyInit);
    if (this.#env.codec && encoding !== 'gzip')
      return this.#env.codec.decode(new Uint8Array(await stream.arrayBuffer()), encoding);
    const unpacking = new DecompressionStream(encoding as CompressionFormat);
    return stream.body?.pipeThrough(unpacking as ReadableWritablePair<Uint8Array, Uint8Array>);
  }
}

/** The digest of the source in a form's mark; `undefined` for a form that older code made. */
function digestIn(etag: string | undefined): string | undefined {
  const start = markOf('');
  return etag?.startsWith(start) ? etag.slice(start.length) : undefined;
}
