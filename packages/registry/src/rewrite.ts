import { concat } from '@_all_docs/http';
import { type Decision, MemberScanner, type MemberVisitor } from './member-scanner.js';
import { type Projection, parseValue } from './projection.js';
import { tarballFile, tarballUrl } from './tarball-url.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A URL's JSON text as nearly all are: nothing has to be decoded, nothing of its file's name encoded. */
const PLAIN_URL = /^"[\w.~!'()*:@+$&,;=/-]*\/([\w.~!'()*-]+\.tgz)"$/;

/** The same document with our own tarball URLs; every other byte stays as it is. */
export class Rewriting implements Projection {
  readonly #name: string;
  readonly #base: string;
  /** What our own URLs begin with, as JSON text. */
  readonly #start: Uint8Array;
  readonly #out: Uint8Array[] = [];
  #length = 0;
  /** What has come and is not passed on yet, and where that begins in the document. */
  #rest: Uint8Array = new Uint8Array();
  #done = 0;
  /** Where the URL that is being read begins; -1 when none is. */
  #open = -1;

  constructor(name: string, base: string) {
    this.#name = name;
    this.#base = base;
    this.#start = encoder.encode(JSON.stringify(tarballUrl(base, name, '')).slice(0, -1));
  }

  chunk(bytes: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? bytes : concat([this.#rest, bytes], this.#rest.length + bytes.length);
  }

  decide({ length, 0: first }: readonly string[], key: string, at: number): Decision {
    if (length === 0) return key === 'versions' ? 'enter' : 'skip';
    if (length === 1) return first === 'versions' ? 'enter' : 'skip';
    if (length === 2) return key === 'dist' ? 'enter' : 'skip';
    if (key !== 'tarball') return 'skip';
    this.#open = at;
    return 'take';
  }

  member(path: readonly string[], _key: string, value: Uint8Array): void {
    // What was no object is left alone.
    if (path.length !== 3) return;
    const start = this.#open;
    this.#open = -1;
    const own = this.#own(path[1] as string, value);
    if (!own) return;
    this.#pass(start);
    for (const bytes of own) this.#write(bytes);
    this.#skip(value.length);
  }

  /** Our own URL in place of the one that stands there; `undefined` for what is none. */
  #own(version: string, value: Uint8Array): Uint8Array[] | undefined {
    const file = PLAIN_URL.exec(decoder.decode(value))?.[1];
    if (file !== undefined) return [this.#start, value.subarray(value.length - file.length - 1)];
    const url = parseValue(value);
    return typeof url === 'string' ? [ownUrl(this.#base, this.#name, version, url)] : undefined;
  }

  take(): Uint8Array {
    this.#pass(this.#open === -1 ? this.#done + this.#rest.length : this.#open);
    const bytes = concat(this.#out, this.#length);
    this.#out.length = 0;
    this.#length = 0;
    // What waits for its end is a view of a chunk, which is given back.
    this.#rest = this.#rest.slice();
    return bytes;
  }

  finish(): void {}

  /** Passes on what came up to this place in the document. */
  #pass(to: number): void {
    const { length } = this.#write(this.#rest.subarray(0, to - this.#done));
    this.#skip(length);
  }

  #write(bytes: Uint8Array): Uint8Array {
    this.#out.push(bytes);
    this.#length += bytes.length;
    return bytes;
  }

  #skip(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#done += bytes;
  }
}

/** One version out of a document, with our own tarball URL where there is a `base`. Nothing at all when it is not there. */
export class VersionCut implements Projection {
  readonly #name: string;
  readonly #version: string;
  readonly #base: string | undefined;
  #found: Uint8Array = new Uint8Array();

  constructor(name: string, version: string, base?: string) {
    this.#name = name;
    this.#version = version;
    this.#base = base;
  }

  decide({ length }: readonly string[], key: string): Decision {
    if (length === 0) return key === 'versions' ? 'enter' : 'skip';
    return key === this.#version ? 'take' : 'skip';
  }

  member({ length }: readonly string[], key: string, value: Uint8Array): void {
    if (length === 0) return;
    this.#found = this.#base === undefined ? value.slice() : rewriteVersion(value.slice(), this.#name, key, this.#base);
  }

  take(): Uint8Array {
    const found = this.#found;
    this.#found = new Uint8Array();
    return found;
  }

  finish(): void {}
}

/** A version's JSON text with another `dist.tarball`; as it is when it has none. */
function rewriteVersion(version: Uint8Array, name: string, key: string, base: string): Uint8Array {
  const tarball = findTarball(version);
  if (!tarball) return version;
  const url = parseValue(tarball);
  if (typeof url !== 'string') return version;
  const start = tarball.byteOffset - version.byteOffset;
  const middle = ownUrl(base, name, key, url);
  const parts = [version.subarray(0, start), middle, version.subarray(start + tarball.length)];
  return concat(parts, version.length - tarball.length + middle.length);
}

/** The text of `dist.tarball` as a view of the version's. */
function findTarball(version: Uint8Array): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  const visitor: MemberVisitor = {
    decide({ length }, key) {
      if (length === 0) return key === 'dist' ? 'enter' : 'skip';
      return key === 'tarball' ? 'take' : 'skip';
    },
    member({ length }, _key, value) {
      if (length === 1) found = value;
    },
  };
  // Only an object has members; whatever else stands there is left alone.
  if (version[0] === 0x7b) new MemberScanner(visitor).push(version);
  return found;
}

/** Our own URL of a version's tarball, as JSON text. */
function ownUrl(base: string, name: string, version: string, url: string): Uint8Array {
  return encoder.encode(JSON.stringify(tarballUrl(base, name, tarballFile(name, version, url))));
}
