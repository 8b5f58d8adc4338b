import { type Codec, webCodec } from '@_all_docs/http';
import { PackumentError } from '@_all_docs/packument';
import { type Answer, notFound } from './answer.js';
import { baseFor, hostBase } from './base-url.js';
import { ByteLru } from './byte-lru.js';
import { type HeaderLookup, isUnchanged } from './conditional.js';
import type { DeriveOptions } from './derive.js';
import type { DerivedCache } from './derived-cache.js';
import type { Documents, Found } from './documents.js';
import { RegistryError } from './errors.js';
import { acceptsGzip, negotiateForm } from './negotiate.js';
import { deriveOptions, type Part, type VariantKey } from './rendition.js';
import type { Settings } from './settings.js';
import type { SingleFlight } from './single-flight.js';
import type { Counters } from './stats.js';
import { streamOf } from './stream-of.js';
import type { Summaries } from './summaries.js';
import type { HotAnswer, RegistryEnv } from './types.js';
import { Variant } from './variant.js';

/** Requests for a document in its forms, its tags, or one of its versions. */
export type DocumentRoute =
  | { kind: 'packument'; name: string }
  | { kind: 'dist-tags'; name: string }
  | { kind: 'version'; name: string; wanted: string };

export interface DocumentAnswersParts {
  documents: Documents;
  derived: DerivedCache;
  summaries: Summaries;
  settings: Settings;
  counters: Counters;
  flight: SingleFlight;
}

/** What was answered lately for one request target. */
interface Page {
  /** What the target stands for; `undefined` where `Accept` decides. */
  part: Part | undefined;
  subject: Subject;
  variants: Variant[];
}

/** One package, shared by all targets that name it. */
interface Subject {
  found: Found | undefined;
}

/** How long a look at the index is relied on. */
const CHECKED_MS = 1_000;
const MOST_PAGES = 8_192;
/** Of one target: forms and codings, for few hosts. */
const MOST_VARIANTS = 6;
const LONGEST_HOT_TARGET = 512;
const MOST_MEMOS = 1_000;
const LONGEST_MEMO = 512;
/** What a variant takes beside its bytes, about. */
const VARIANT_BYTES = 1_024;
/** Packed documents over this are unpacked while they are sent, for the few clients that want them plain. */
const LARGEST_UNPACKED = 1024 * 1024;
/** A body takes at most one such part of the memory. */
const LARGEST_PART = 4;
const READ_TRIES = 4;

/**
 * Answers for documents. What was sent lately stays in memory ready to be sent again, and {@link hot} sends it without
 * asking anybody; {@link answer} asks the index first, and the store only where the client does not hold the document yet.
 */
export class DocumentAnswers {
  readonly #parts: DocumentAnswersParts;
  readonly #codec: Codec;
  readonly #now: () => number;
  readonly #pages = new ByteLru<Page>(MOST_PAGES);
  readonly #subjects = new ByteLru<Subject>(MOST_PAGES);
  readonly #variants: ByteLru<Variant>;
  readonly #forms = new Map<string, Part>();
  readonly #codings = new Map<string, boolean>();
  readonly #bases = new Map<string, string | undefined>();
  readonly #fromHost = (host: string): string | undefined => {
    const { scheme, prefix } = this.#parts.settings;
    return this.#bases.get(host) ?? memo(this.#bases, host, hostBase(host, scheme, prefix));
  };

  constructor(env: Pick<RegistryEnv, 'clock' | 'codec'>, parts: DocumentAnswersParts) {
    this.#parts = parts;
    this.#codec = env.codec ?? webCodec;
    this.#now = () => env.clock.now();
    this.#variants = new ByteLru(parts.settings.hotBytes, (variant) => {
      variant.body = undefined;
    });
  }

  /**
   * What {@link answer} would give, where it is in memory and the index was asked within the last second; `undefined`
   * everywhere else. Allocates nothing but once a second.
   */
  hot(method: string, target: string, headers: HeaderLookup): HotAnswer | undefined {
    const page = this.#pages.peek(target);
    const found = page?.subject.found;
    if (!found || (method !== 'GET' && method !== 'HEAD')) return undefined;
    const sinceCheck = this.#now() - found.checkedAt;
    if (sinceCheck < 0 || sinceCheck >= CHECKED_MS) return undefined;
    const part = page.part ?? this.#form(headers);
    const gzip = part !== 'dist-tags' && this.#acceptsGzip(headers);
    const base = part === 'dist-tags' ? '' : this.#base(headers);
    for (const variant of page.variants) {
      if (variant.gzip !== gzip || variant.part !== part || variant.base !== base) continue;
      if (variant.digest !== found.digest) return undefined;
      return this.#fromMemory(variant, found, method, headers);
    }
    return undefined;
  }

  /**
   * The answer for a document; 404 where the origin has none. Rejects with the trouble there was, `ERR_BAD_HOST` where
   * our own URLs cannot be made, `ERR_NOT_FOUND` for a version that is none.
   */
  async answer(route: DocumentRoute, target: string, method: string, headers: HeaderLookup): Promise<Answer> {
    const base = route.kind === 'dist-tags' ? '' : this.#base(headers);
    if (base === undefined) throw new RegistryError('ERR_BAD_HOST', 'the Host header names no host');
    const wanted = this.#wanted(route, headers, base);
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const found = await this.#parts.documents.find(route.name, wanted);
      if (!found) {
        this.#subjects.delete(route.name);
        this.#pages.delete(target);
        return notFound();
      }
      const variant = this.#variant(found, { ...(await this.#choose(route, found, headers)), base });
      const unchanged = isUnchanged(headers, variant.etag, variant.lastModified);
      const body = unchanged ? undefined : await this.#load(variant, found);
      if (!unchanged && body === undefined) continue;
      this.#count(found, unchanged);
      this.#remember(route, target, found, variant);
      return this.#give(variant, found, body, method);
    }
    throw new PackumentError('ERR_BAD_PACKUMENT', `${route.name} changes faster than it can be read; try again`);
  }

  #fromMemory(variant: Variant, found: Found, method: string, headers: HeaderLookup): HotAnswer | undefined {
    const { counters, settings } = this.#parts;
    const answers = variant.prepare(found, settings);
    const unchanged = isUnchanged(headers, variant.etag, variant.lastModified);
    const answer = unchanged ? answers.notModified : method === 'HEAD' ? answers.head : answers.ok;
    if (!answer) return undefined;
    counters.hot += 1;
    this.#count(found, unchanged);
    return answer;
  }

  /** What has to be made of the document; `undefined` where it goes out as it is, or only the document tells. */
  #wanted({ kind, name }: DocumentRoute, headers: HeaderLookup, base: string): DeriveOptions | undefined {
    if (kind !== 'packument') return undefined;
    const part = this.#form(headers);
    return this.#isAsStored({ part, base }) ? undefined : deriveOptions(name, { part, base });
  }

  #isAsStored({ part, base }: Pick<VariantKey, 'part' | 'base'>): boolean {
    return part === this.#parts.settings.form && base === '';
  }

  async #choose(route: DocumentRoute, found: Found, headers: HeaderLookup): Promise<Omit<VariantKey, 'base'>> {
    if (route.kind === 'dist-tags') return { part: 'dist-tags', gzip: false };
    const gzip = this.#acceptsGzip(headers);
    if (route.kind === 'packument') return { part: this.#form(headers), gzip };
    const version = await this.#parts.summaries.versionOf(found, route.wanted);
    if (version === undefined) throw new RegistryError('ERR_NOT_FOUND', `version not found: ${route.wanted}`);
    return { part: `version ${version}`, gzip };
  }

  #give(variant: Variant, found: Found, body: Answer['body'], method: string): Answer {
    const { settings } = this.#parts;
    const { ok, head, notModified } = variant.prepare(found, settings);
    if (body === undefined) return notModified;
    if (method === 'HEAD' && head) return head;
    if (ok) return ok;
    const length = body instanceof Uint8Array ? body.length : undefined;
    return { status: 200, headers: variant.headers(found, settings, length), body };
  }

  #count(found: Found, unchanged: boolean): void {
    const { counters } = this.#parts;
    counters[found.how === 'miss' ? 'misses' : 'hits'] += 1;
    if (found.how === 'stale') counters.stale += 1;
    if (unchanged) counters.notModified += 1;
  }

  /** The variant of this very document: the one in memory, or a new one. */
  #variant(found: Found, wanted: VariantKey): Variant {
    const key = memoryKey(found.name, wanted);
    const kept = this.#variants.get(key);
    if (kept?.digest === found.digest) return kept;
    const variant = new Variant(wanted, found);
    this.#variants.set(key, variant, VARIANT_BYTES);
    return variant;
  }

  /** What `hot` needs to give the same answer again. */
  #remember(route: DocumentRoute, target: string, found: Found, variant: Variant): void {
    if (target.length > LONGEST_HOT_TARGET || target.includes('?')) return;
    const subject = this.#subjects.get(found.name) ?? { found };
    this.#subjects.set(found.name, subject, 1);
    // From now on it is a hit, whatever it was for the one who had to wait.
    subject.found = found.how === 'miss' ? { ...found, how: 'hit' } : found;
    const before = this.#pages.get(target);
    const others = before?.subject === subject ? before.variants : [];
    const variants = others.filter((other) => other.digest === variant.digest && !other.is(variant));
    const part = route.kind === 'packument' ? undefined : variant.part;
    this.#pages.set(target, { part, subject, variants: [...variants, variant].slice(-MOST_VARIANTS) }, 1);
  }

  /** The bytes of a variant; `undefined` when the document is another one by now, or gone. */
  async #load(variant: Variant, found: Found): Promise<Answer['body']> {
    if (variant.body) return variant.body;
    const body = variant.gzip ? await this.#packed(variant, found) : await this.#plain(variant, found);
    if (body instanceof Uint8Array && body.length <= this.#parts.settings.hotBytes / LARGEST_PART) {
      variant.body = body;
      this.#variants.set(memoryKey(found.name, variant), variant, body.length + VARIANT_BYTES);
    }
    return body;
  }

  #packed(variant: VariantKey, found: Found): Promise<Uint8Array | undefined> {
    const { documents, derived, flight } = this.#parts;
    const { name, digest } = found;
    return flight(`body:${memoryKey(name, variant)}:${digest}`, async () => {
      if (this.#isAsStored(variant)) {
        const entry = await documents.read(name);
        if (entry?.metadata.digest !== digest) return undefined;
        if (entry.metadata.encoding === 'gzip') return entry.body;
      }
      const made = await derived.get(digest, deriveOptions(name, variant), () => documents.read(name));
      return made?.digest === digest && made.body.length > 0 ? made.body : undefined;
    });
  }

  async #plain(variant: VariantKey, found: Found): Promise<Answer['body']> {
    if (variant.part === 'dist-tags') return this.#tags(found);
    const packed = this.#variant(found, { ...variant, gzip: true }).body ?? (await this.#packed(variant, found));
    if (packed === undefined || packed.length <= LARGEST_UNPACKED) return packed && this.#codec.decode(packed, 'gzip');
    return streamOf(this.#codec.decodeStream(packed, 'gzip'), 1);
  }

  async #tags(found: Found): Promise<Uint8Array | undefined> {
    const summary = await this.#parts.summaries.of(found);
    return summary && new TextEncoder().encode(JSON.stringify(Object.fromEntries(summary.tags)));
  }

  #form(headers: HeaderLookup): Part {
    if (this.#parts.settings.form === 'abbreviated') return 'abbreviated';
    const accept = headers('accept') ?? '';
    return this.#forms.get(accept) ?? memo(this.#forms, accept, negotiateForm(accept));
  }

  #acceptsGzip(headers: HeaderLookup): boolean {
    const accept = headers('accept-encoding');
    if (accept === undefined) return false;
    return this.#codings.get(accept) ?? memo(this.#codings, accept, acceptsGzip(accept));
  }

  #base(headers: HeaderLookup): string | undefined {
    return baseFor(headers, this.#parts.settings, this.#fromHost);
  }
}

function memoryKey(name: string, { part, gzip, base }: VariantKey): string {
  // No part of it can hold a line break.
  return `${name}\n${part}\n${gzip ? 'gzip' : ''}\n${base}`;
}

/** Clients send few different headers; whoever sends many, or long ones, makes us forget, not grow. */
function memo<Value>(memos: Map<string, Value>, header: string, value: Value): Value {
  if (header.length > LONGEST_MEMO) return value;
  if (memos.size >= MOST_MEMOS) memos.clear();
  memos.set(header, value);
  return value;
}
