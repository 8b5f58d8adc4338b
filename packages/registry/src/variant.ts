import { bodyHeaders, commonHeaders, lastModifiedOf } from './document-headers.js';
import type { Found } from './documents.js';
import { etagOf, type Part, type VariantKey } from './rendition.js';
import type { Settings } from './settings.js';
import type { HotAnswer } from './types.js';

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
  /** When the document changed last, as an HTTP date, where that is known. */
  readonly lastModified: string | undefined;
  #body: Uint8Array | undefined;
  #length: number | undefined;
  #prepared: PreparedAnswers | undefined;

  constructor({ part, gzip, base }: VariantKey, { digest, metadata }: Found) {
    this.part = part;
    this.gzip = gzip;
    this.base = base;
    this.digest = digest;
    this.etag = etagOf({ part, gzip, base }, digest);
    this.lastModified = lastModifiedOf(metadata);
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
    return [...bodyHeaders(this, this.lastModified, length), ...commonHeaders(this.etag, found, settings)];
  }

  #make(found: Found, settings: Settings): PreparedAnswers {
    const headers = this.#length === undefined ? undefined : this.headers(found, settings, this.#length);
    return {
      found,
      ok: headers && this.#body && { status: 200, headers, body: this.#body },
      head: headers && { status: 200, headers, body: undefined },
      notModified: { status: 304, headers: commonHeaders(this.etag, found, settings), body: undefined },
    };
  }
}
