import { digestOf, type EntryMetadata, hex, type StoredEntry, unhex } from '@_all_docs/cache';
import { type Codec, HttpError, type Transport } from '@_all_docs/http';
import { askPackument, packumentPath } from '@_all_docs/packument';
import type { Shown } from './document-headers.js';
import type { OpenedDocument } from './edge-documents.js';
import type { EdgeEnv } from './edge-env.js';
import { type Document, distIn, distOf, makeForm, parseDocument } from './edge-forms.js';
import type { EdgeForm, EdgeKeys } from './edge-keys.js';
import type { EdgeStore } from './edge-store.js';
import { patiently } from './patience.js';
import { markOf } from './rendition.js';
import { urlOf } from './resource.js';
import type { Settings } from './settings.js';
import { versionOfFile } from './tarball-url.js';
import type { Dist } from './types.js';

/** What a document says of a tarball, and when the registry last confirmed that document. */
export type ConfirmedDist = Dist & { at: number };

/** What all need that ask the origin for something, and keep it. */
export interface EdgeSourceParts {
  settings: Settings;
  keys: EdgeKeys;
  store: EdgeStore;
  /** To the origin; it refuses where the replica is offline. */
  transport: Transport;
  codec: Codec;
}

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

/** Sources of documents: asked for, kept, made into the forms that are wanted, and renewed when they are old. */
export class EdgeSources {
  readonly #env: EdgeEnv;
  readonly #settings: Settings;
  readonly #store: EdgeStore;
  readonly #transport: Transport;
  readonly #codec: Codec;
  readonly #keys: EdgeKeys;
  /** Until when nothing is asked again about a name behind an answer. */
  readonly #quiet = new Map<string, number>();

  constructor(env: EdgeEnv, { settings, keys, store, transport, codec }: EdgeSourceParts) {
    this.#env = env;
    this.#settings = settings;
    this.#store = store;
    this.#transport = transport;
    this.#codec = codec;
    this.#keys = keys;
  }

  /** The document in a form that is not held; `undefined` where the origin has none, or it has no such version. Rejects with the trouble there was. */
  async open(name: string, form: EdgeForm): Promise<OpenedDocument | undefined> {
    const source = await this.#source(name);
    return source && this.#give(name, form, source);
  }

  /** A form that grew old, made of the source with that digest: the source is asked for, and the form made anew where that is another one. Seldom enough. */
  async renewForm(name: string, form: EdgeForm, digest: string): Promise<void> {
    if (!(await this.#mayAsk(name))) return;
    const held = await this.#held(name);
    const isFresh = held !== undefined && this.#isFresh(held.metadata);
    const source = isFresh ? { ...held, how: 'hit' as const } : await this.#renew(name, held);
    const key = this.#keys.form(name, form);
    if (!source || key === undefined || this.#keys.isSource(form)) return;
    const { storedAt, expiresAt = this.#store.expiry() } = source.metadata;
    if (source.metadata.digest === digest) await this.#store.touch(key, { storedAt, expiresAt });
    else await this.#give(name, form, source);
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
    const { sources } = this.#keys;
    const keys = (await this.#store.driver()).list(sources + hex(start || null));
    for await (const key of keys) yield unhex(key.slice(sources.length)) as string;
  }

  #held(name: string): Promise<StoredEntry | undefined> {
    return this.#store.read(this.#keys.source(name));
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
    this.#store.behind(name, this.#renewOnce(name, held));
    return { ...held, how: 'stale' };
  }

  async #renewOnce(name: string, held: StoredEntry): Promise<void> {
    if (await this.#mayAsk(name)) await this.#renew(name, held);
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
    const key = this.#keys.source(name);
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
    await (await this.#store.driver()).delete(this.#keys.source(name));
    await this.#dropForms(name);
    return undefined;
  }

  async #dropForms(name: string): Promise<void> {
    const driver = await this.#store.driver();
    for await (const key of driver.list(this.#keys.formsOf(name))) await driver.delete(key);
  }

  /** A form out of its source; kept behind the answer where forms are. A document too large to be parsed is given as it is. */
  async #give(name: string, form: EdgeForm, source: Source): Promise<OpenedDocument | undefined> {
    const { how, metadata: of } = source;
    const digest = of.digest as string;
    const given = { ...form, ...this.#shown(of, how), digest, cancel: async () => undefined };
    if (this.#keys.isSource(form)) return { ...given, ...source };
    const document = await this.#parsed(name, source);
    if (!document) return { ...given, ...source, part: this.#settings.form, base: '' };
    const text = makeForm(name, document, form.part, form.base);
    if (text === undefined) return undefined;
    const body = await this.#codec.gzip(new TextEncoder().encode(text));
    // No form outlives its source.
    const expiresAt = of.expiresAt ?? this.#store.expiry();
    const metadata: EntryMetadata = { ...of, encoding: 'gzip', size: body.length, etag: markOf(digest), expiresAt };
    delete metadata.digest;
    const key = this.#keys.form(name, form);
    if (key !== undefined) this.#store.behind(name, this.#store.write(key, { body, metadata }));
    return { ...given, metadata, body };
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

  /** Whether something may be asked about a name behind an answer, which then is not for a while: here, and where isolates agree. */
  async #mayAsk(name: string): Promise<boolean> {
    const now = this.#env.clock.now();
    const { claim } = this.#env;
    if (this.#settings.offline || now < (this.#quiet.get(name) ?? 0)) return false;
    if (this.#quiet.size >= MOST_QUIET) this.#quiet.clear();
    this.#quiet.set(name, now + QUIET_MS);
    return !claim || claim(name, STORE_LAG_MS);
  }

  #isFresh({ storedAt }: EntryMetadata): boolean {
    return this.#env.clock.now() - storedAt <= this.#settings.maxAgeMs;
  }

  #shown(metadata: EntryMetadata, how: Shown['how']): Shown {
    return { metadata, how, trouble: undefined, checkedAt: this.#env.clock.now() };
  }
}
