import { digestOf, type EntryMetadata, encodeOrigin, hex, type StoredEntry, unhex } from '@_all_docs/cache';
import { type Codec, HttpError, type Transport, webCodec } from '@_all_docs/http';
import { askPackument, documentPrefix, packumentPath } from '@_all_docs/packument';
import type { Shown } from './document-headers.js';
import type { EdgeEnv } from './edge-env.js';
import { type Document, distIn, distOf, makeForm, parseDocument } from './edge-forms.js';
import type { EdgeStore } from './edge-store.js';
import { patiently } from './patience.js';
import { DERIVED_PREFIX } from './prefixes.js';
import { derivedKey, deriveOptions, markOf, type VariantKey } from './rendition.js';
import { urlOf } from './resource.js';
import type { Settings } from './settings.js';
import { versionOfFile } from './tarball-url.js';
import type { Dist } from './types.js';

type Form = Pick<VariantKey, 'part' | 'base'>;

/** A document in one form, ready to be sent: its body is read once, or cancelled. */
export interface OpenedDocument extends Shown, Form {
  readonly metadata: EntryMetadata;
  /** Of the stored source that it is, or was made of. */
  readonly digest: string;
  /** Packed as `metadata.encoding` says. */
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  cancel(): Promise<void>;
}

/** What a document says of a tarball, and when the registry last confirmed that document. */
export type ConfirmedDist = Dist & { at: number };

interface Source extends StoredEntry {
  how: Shown['how'];
  /** Where it had to be parsed already. */
  document?: Document | undefined;
}

/** How long a first 404 of a document that is held is remembered: the second one within that time counts. */
const DOUBT_MS = 3_600_000;
/** How often the same document is asked for again behind answers. */
const QUIET_MS = 10_000;
const MOST_QUIET = 10_000;
/** Others see the old copy so long after it was renewed. */
const STORE_LAG_MS = 60_000;
/** Larger documents are never parsed: memory is short. They are sent as they are. */
const LARGEST_PARSED = 16 * 1024 * 1024;

/**
 * Documents at the edge: the source as the origin sent it, and each form that was asked for, are entries of their own, so
 * that each is found by one read. A form grows old by itself, and is then compared with its source behind an answer.
 */
export class EdgeDocuments {
  readonly #env: EdgeEnv;
  readonly #settings: Settings;
  readonly #store: EdgeStore;
  readonly #transport: Transport;
  readonly #codec: Codec;
  readonly #sources: string;
  readonly #forms: string;
  /** Until when nothing is asked again about a name behind an answer. */
  readonly #quiet = new Map<string, number>();

  constructor(
    env: EdgeEnv,
    { settings, store, transport }: { settings: Settings; store: EdgeStore; transport: Transport },
  ) {
    this.#env = env;
    this.#settings = settings;
    this.#store = store;
    this.#transport = transport;
    this.#codec = env.codec ?? webCodec;
    this.#sources = documentPrefix(settings.form, env.registry);
    this.#forms = `${DERIVED_PREFIX}${encodeOrigin(env.registry)}:`;
  }

  /** The document in a form; `undefined` where the origin has none, or it has no such version. Rejects with the trouble there was. */
  async open(name: string, form: Form): Promise<OpenedDocument | undefined> {
    const key = this.#keyOf(name, form);
    const entry = key === undefined ? undefined : await this.#store.open(key);
    const digest = entry && (this.#isSource(form) ? entry.metadata.digest : digestIn(entry.metadata.etag));
    if (entry && digest !== undefined && !(await this.#store.isRemoved(name, entry.metadata.storedAt))) {
      const { metadata, body } = entry;
      const how = this.#isFresh(metadata) ? 'hit' : 'stale';
      if (how === 'stale') this.#behind(name, () => this.#renewForm(name, form, digest));
      return { ...form, ...this.#shown(metadata, how), metadata, digest, body, cancel: () => entry.cancel() };
    }
    await entry?.cancel();
    const source = await this.#source(name);
    return source && this.#give(name, form, source);
  }

  /** What the document says of a tarball; `undefined` when the package has none of that name. An old document is renewed before that is said. */
  async distOf(name: string, file: string): Promise<ConfirmedDist | undefined> {
    const source = await this.#source(name);
    if (!source) return undefined;
    const found = await this.#distIn(name, file, source);
    if (found || source.how !== 'stale') return found;
    const renewed = await this.#renew(name, source);
    return renewed && this.#distIn(name, file, renewed);
  }

  /** The document, as far as it is held and not large; nobody is asked for it. */
  async peek(name: string, largest: number): Promise<Document | undefined> {
    const held = await this.#held(name);
    return held && held.body.length <= largest ? this.#parsed(name, held) : undefined;
  }

  /** The document as the registry has it now, stored; `false` where it has none. Rejects with the trouble there was. */
  async fetch(name: string): Promise<boolean> {
    return (await this.#renew(name, await this.#held(name))) !== undefined;
  }

  /** What of the feed's news concerns a name is made true: the document as it is now, and no form of it from before. */
  async settle(name: string): Promise<'settled' | 'absent' | 'unheld'> {
    const held = await this.#held(name);
    if (!held) return 'unheld';
    const source = await this.#renew(name, held, true);
    if (source && source.metadata.digest !== held.metadata.digest) await this.#dropForms(name);
    return source ? 'settled' : 'absent';
  }

  /** Names of held documents that begin with a text, in the order of their bytes. */
  async *names(start: string): AsyncIterable<string> {
    const keys = (await this.#store.driver()).list(this.#sources + hex(start || null));
    for await (const key of keys) yield unhex(key.slice(this.#sources.length)) as string;
  }

  #isSource({ part, base }: Form): boolean {
    return part === this.#settings.form && base === '';
  }

  /** Where a form is stored; tags and single versions are nowhere. */
  #keyOf(name: string, form: Form): string | undefined {
    if (this.#isSource(form)) return this.#sources + hex(name);
    const isKept = form.part === 'full' || form.part === 'abbreviated';
    return isKept ? this.#forms + derivedKey(deriveOptions(name, form)) : undefined;
  }

  #held(name: string): Promise<StoredEntry | undefined> {
    return this.#store.read(this.#sources + hex(name));
  }

  /** The stored source, fetched if need be; `undefined` where the origin has none. */
  async #source(name: string): Promise<Source | undefined> {
    const held = await this.#held(name);
    if (!held) {
      const absent = await this.#store.absence(name, this.#settings.notFoundMs);
      return absent === undefined ? this.#renew(name) : undefined;
    }
    if (await this.#store.isRemoved(name, held.metadata.storedAt)) return this.#renew(name, held, true);
    if (this.#isFresh(held.metadata)) return { ...held, how: 'hit' };
    this.#behind(name, () => this.#renew(name, held));
    return { ...held, how: 'stale' };
  }

  /** The document as the origin has it now. `fresh` goes past the caches on the way, and takes the first 404 for true. */
  #renew(name: string, held?: StoredEntry, fresh = false): Promise<Source | undefined> {
    const { flight = (_key, work) => work() } = this.#env;
    const work = flight(`document:${fresh}:${name}`, async () => {
      // What the feed has news of may be in those caches as it was before.
      const isNews = fresh || (await this.#store.isRemoved(name, 0));
      return this.#fetch(name, held, isNews);
    });
    return patiently(this.#env, this.#settings.patienceMs, name, work);
  }

  async #fetch(name: string, held: StoredEntry | undefined, fresh: boolean): Promise<Source | undefined> {
    const { registry, clock } = this.#env;
    const known = held?.metadata;
    const key = this.#sources + hex(name);
    let document: Document | undefined;
    const asked = await askPackument(name, {
      send: (path, options) => this.#transport({ url: urlOf(registry, path), ...options }),
      form: this.#settings.form,
      look: async (_, body, encoding) => {
        document = await this.#parsed(name, { body, metadata: { encoding } });
        const { _rev: rev, modified = (document?.['time'] as Document | undefined)?.['modified'] } = document ?? {};
        return { rev: rev as string | undefined, modified: modified as string | undefined };
      },
      codec: this.#codec,
      clock,
      known,
      fresh,
    });
    const expiresAt = known && known.expiresAt === undefined ? undefined : this.#store.expiry();
    if (asked.outcome === 'document') {
      const { body } = asked.entry;
      const metadata = { ...asked.entry.metadata, digest: await digestOf(body), expiresAt };
      this.#store.behind(name, this.#store.write(key, { body, metadata }));
      return { body, metadata, how: 'miss', document };
    }
    if (asked.outcome === 'unchanged' && held) {
      const { storedAt, etag } = asked.metadata;
      this.#store.behind(name, this.#store.touch(key, { storedAt, etag, expiresAt }));
      return { body: held.body, metadata: { ...asked.metadata, expiresAt }, how: 'hit' };
    }
    return this.#onAbsent(name, held, asked.outcome === 'absent' ? asked.status : 404, fresh);
  }

  /** A single 404 may be a slip of the origin or of a cache before it: what is held goes at the second, and at any stronger word. */
  async #onAbsent(
    name: string,
    held: StoredEntry | undefined,
    status: number,
    fresh: boolean,
  ): Promise<Source | undefined> {
    const isFirst = held && !fresh && status === 404 && (await this.#store.absence(name, DOUBT_MS)) === undefined;
    await this.#store.noteAbsence(name, status, held ? DOUBT_MS : this.#settings.notFoundMs);
    if (isFirst) return { ...held, how: 'stale' };
    if (!held) return undefined;
    await (await this.#store.driver()).delete(this.#sources + hex(name));
    await this.#dropForms(name);
    return undefined;
  }

  async #dropForms(name: string): Promise<void> {
    const driver = await this.#store.driver();
    for await (const key of driver.list(`${this.#forms}${hex(name)}:`)) await driver.delete(key);
  }

  /** A form out of its source; kept behind the answer where forms are. A document too large to be parsed is given as it is. */
  async #give(name: string, form: Form, source: Source): Promise<OpenedDocument | undefined> {
    const { how, metadata: of } = source;
    const digest = of.digest as string;
    const given = { ...form, ...this.#shown(of, how), digest, cancel: async () => undefined };
    if (this.#isSource(form)) return { ...given, ...source };
    const document = await this.#parsed(name, source);
    if (!document) return { ...given, ...source, part: this.#settings.form, base: '' };
    const text = makeForm(name, document, form.part, form.base);
    if (text === undefined) return undefined;
    const body = await this.#codec.gzip(new TextEncoder().encode(text));
    // No form outlives its source.
    const expiresAt = of.expiresAt ?? this.#store.expiry();
    const metadata: EntryMetadata = { ...of, encoding: 'gzip', size: body.length, etag: markOf(digest), expiresAt };
    delete metadata.digest;
    const key = this.#keyOf(name, form);
    if (key !== undefined) this.#store.behind(name, this.#store.write(key, { body, metadata }));
    return { ...given, metadata, body };
  }

  /** A form that grew old: its source is asked for, and it is made anew where that is another one. */
  async #renewForm(name: string, form: Form, digest: string): Promise<void> {
    const held = await this.#held(name);
    const isFresh = held !== undefined && this.#isFresh(held.metadata);
    const source = isFresh ? { ...held, how: 'hit' as const } : await this.#renew(name, held);
    const key = this.#keyOf(name, form);
    if (!source || key === undefined || this.#isSource(form)) return;
    const { storedAt, expiresAt = this.#store.expiry() } = source.metadata;
    if (source.metadata.digest === digest) await this.#store.touch(key, { storedAt, expiresAt });
    else await this.#give(name, form, source);
  }

  async #distIn(name: string, file: string, source: Source): Promise<ConfirmedDist | undefined> {
    const document = await this.#parsed(name, source);
    const dist = document ? distIn(name, document, file) : await this.#askDist(name, file);
    return dist && { ...dist, at: source.metadata.storedAt };
  }

  /** The registry has each version by itself, too. */
  async #askDist(name: string, file: string): Promise<Dist | undefined> {
    const version = versionOfFile(name, file);
    if (version === undefined) return undefined;
    const url = urlOf(this.#env.registry, `${packumentPath(name)}/${encodeURIComponent(version)}`);
    const { status, body, encoding } = await this.#transport({ url, headers: { accept: 'application/json' } });
    if (status !== 200) return undefined;
    return distOf(parseDocument(name, await this.#codec.decode(body, encoding)), version);
  }

  /** `undefined` for one that is too large. */
  async #parsed(
    name: string,
    source: Pick<Source, 'body' | 'document'> & { metadata: Pick<EntryMetadata, 'encoding'> },
  ): Promise<Document | undefined> {
    if (source.document) return source.document;
    try {
      const { body, metadata } = source;
      return parseDocument(name, await this.#codec.decode(body, metadata.encoding, LARGEST_PARSED));
    } catch (error) {
      if (error instanceof HttpError && error.code === 'ERR_TOO_LARGE') return undefined;
      throw error;
    }
  }

  #behind(name: string, work: () => Promise<unknown>): void {
    const now = this.#env.clock.now();
    if (this.#settings.offline || now < (this.#quiet.get(name) ?? 0)) return;
    if (this.#quiet.size >= MOST_QUIET) this.#quiet.clear();
    this.#quiet.set(name, now + QUIET_MS);
    const { claim } = this.#env;
    const renewal = async () => {
      if (!claim || (await claim(name, STORE_LAG_MS))) await work();
    };
    this.#store.behind(name, renewal());
  }

  #isFresh({ storedAt }: EntryMetadata): boolean {
    return this.#env.clock.now() - storedAt <= this.#settings.maxAgeMs;
  }

  #shown(metadata: EntryMetadata, how: Shown['how']): Shown {
    return { metadata, how, trouble: undefined, checkedAt: this.#env.clock.now() };
  }
}

/** The digest of the source in a form's mark; `undefined` for a form that older code made. */
function digestIn(etag: string | undefined): string | undefined {
  const start = markOf('');
  return etag?.startsWith(start) ? etag.slice(start.length) : undefined;
}
