import { fingerprint } from '@_all_docs/cache';
import { RENDITION } from './derived-cache.js';
import type { Found } from './documents.js';
import { MEDIA_TYPE } from './negotiate.js';
import type { Settings } from './settings.js';
import type { HotAnswer } from './types.js';

/** What of a document is sent: one of its forms, its tags, or one version (`version 1.0.0`). */
export type Part = 'full' | 'abbreviated' | 'dist-tags' | `version ${string}`;

/** Which of the many ways to send a document: everything that makes the bytes differ. */
export interface VariantKey {
  part: Part;
  gzip: boolean;
  /** What our own tarball URLs begin with; empty where they are as the origin wrote them. */
  base: string;
}

/** The three answers of a variant, ready to be sent. */
export interface PreparedAnswers {
  /** The index row that they speak of. */
  found: Found;
  ok: HotAnswer | undefined;
  head: HotAnswer | undefined;
  notModified: HotAnswer;
}

/** One document as it is sent in one way. The bytes may come and go; what is said of them stays. */
export class Variant implements VariantKey {
  readonly part: Part;
  readonly gzip: boolean;
  readonly base: string;
  readonly digest: string;
  readonly etag: string;
  /** Epoch milliseconds of the document's last change, where that is known. */
  readonly modifiedAt: number | undefined;
  #body: Uint8Array | undefined;
  #length: number | undefined;
  #prepared: PreparedAnswers | undefined;

  constructor({ part, gzip, base }: VariantKey, { digest, metadata }: Found) {
    this.part = part;
    this.gzip = gzip;
    this.base = base;
    this.digest = digest;
    this.etag = etagOf({ part, gzip, base }, digest);
    this.modifiedAt = timeOf(metadata.lastModified) ?? timeOf(metadata.modified);
  }

  get body(): Uint8Array | undefined {
    return this.#body;
  }

  /** The bytes to be sent; `undefined` when memory has no room for them (any more). */
  set body(body: Uint8Array | undefined) {
    this.#body = body;
    this.#length = body?.length ?? this.#length;
    this.#prepared = undefined;
  }

  is({ part, gzip, base }: VariantKey): boolean {
    return this.gzip === gzip && this.part === part && this.base === base;
  }

  /** The answers for this look at the index; made once for each. */
  prepare(found: Found, settings: Settings): PreparedAnswers {
    if (this.#prepared?.found !== found) this.#prepared = this.#make(found, settings);
    return this.#prepared;
  }

  /** Headers of a 200; the length only where it is known. */
  headers(found: Found, settings: Settings, length: number | undefined): string[] {
    const headers = ['content-type', this.part === 'abbreviated' ? MEDIA_TYPE.abbreviated : MEDIA_TYPE.full];
    if (length !== undefined) headers.push('content-length', String(length));
    if (this.gzip) headers.push('content-encoding', 'gzip');
    if (this.modifiedAt !== undefined) headers.push('last-modified', new Date(this.modifiedAt).toUTCString());
    headers.push(...this.#common(found, settings));
    return headers;
  }

  #make(found: Found, settings: Settings): PreparedAnswers {
    const headers = this.#length === undefined ? undefined : this.headers(found, settings, this.#length);
    return {
      found,
      ok: headers && this.#body && { status: 200, headers, body: this.#body },
      head: headers && { status: 200, headers, body: undefined },
      notModified: { status: 304, headers: this.#common(found, settings), body: undefined },
    };
  }

  /** What a 200 and a 304 both say (RFC 9110, section 15.4.5). */
  #common(found: Found, { cacheControl, tarballHost, maxAgeMs }: Settings): string[] {
    const age = Math.max(0, found.checkedAt - found.metadata.storedAt);
    return [
      'etag',
      this.etag,
      'cache-control',
      cacheControl,
      'vary',
      tarballHost === 'auto' ? 'Accept, Accept-Encoding, User-Agent' : 'Accept, Accept-Encoding',
      'age',
      String(Math.floor(age / 1000)),
      'cache-status',
      cacheStatus(found, maxAgeMs - age),
    ];
  }
}

/** RFC 9211: whether the answer came from here, how long it stays fresh (below zero: how long it has not been), and why it could not be renewed. */
function cacheStatus({ how, trouble }: Found, ttlMs: number): string {
  if (how === 'miss') return '_all_docs; fwd=miss; stored';
  const ttl = Number.isFinite(ttlMs) ? `; ttl=${Math.floor(ttlMs / 1000)}` : '';
  return `_all_docs; hit${ttl}${trouble === undefined ? '' : `; detail=${trouble}`}`;
}

/** Strong: made of the stored bytes' digest and of everything that is done to them. */
function etagOf({ part, gzip, base }: VariantKey, digest: string): string {
  const bytes = digest
    .slice(digest.indexOf('-') + 1, digest.indexOf('-') + 28)
    .replace(/[+/=]/g, (character) => (character === '+' ? '-' : character === '/' ? '_' : ''));
  const form = `${part[0]}${RENDITION}${gzip ? 'z' : ''}`;
  return `"${bytes}-${form}${base === '' ? '' : `-${fingerprint(base)}`}"`;
}

function timeOf(date: string | undefined): number | undefined {
  const time = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(time) ? undefined : time;
}
