import { concat } from '@_all_docs/http';
import { type Decision, MemberScanner, type MemberVisitor } from './member-scanner.js';
import { type Projection, parseValue } from './projection.js';
import { tarballFile, tarballUrl } from './tarball-url.js';

const encoder = new TextEncoder();

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
    const file = plainFile(value);
    const url = file === 0 ? parseValue(value) : undefined;
    if (file === 0 && typeof url !== 'string') return;
    this.#pass(start);
    if (file === 0) this.#write(ownUrl(this.#base, this.#name, path[1] as string, url as string));
    else {
      this.#write(this.#start);
      this.#write(value.subarray(file));
    }
    this.#skip(value.length);
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

const SLASH = 0x2f;
const QUOTE = 0x22;
/** What stands for itself in JSON and in each part of a URL, and a slash. */
const PLAIN = new Uint8Array(128);
for (const sign of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!'()*:@+$&,;=/")
  PLAIN[sign.charCodeAt(0)] = 1;
/** Those among them that are encoded in a file's name. */
const ENCODED = new Uint8Array(128);
for (const sign of ':@+$&,;=') ENCODED[sign.charCodeAt(0)] = 1;
const ENDING = encoder.encode('.tgz"');

/**
 * Where the file's name begins in a URL's JSON text that is as nearly all are: nothing in it has to be decoded or encoded,
 * and it ends in a tarball's name. 0 for any other value.
 */
function plainFile(value: Uint8Array): number {
  const end = value.length - 1;
  if (value[0] !== QUOTE || end <= ENDING.length) return 0;
  for (let i = 0; i < ENDING.length; i++) if (value[end + 1 - ENDING.length + i] !== ENDING[i]) return 0;
  let file = 0;
  let encodes = false;
  for (let at = 1; at < end; at++) {
    const byte = value[at] as number;
    if (PLAIN[byte] !== 1) return 0;
    if (byte === SLASH) {
      file = at + 1;
      encodes = false;
    } else if (ENCODED[byte] === 1) encodes = true;
  }
  return encodes || file + ENDING.length > end ? 0 : file;
}

/** Our own URL of a version's tarball, as JSON text. */
function ownUrl(base: string, name: string, version: string, url: string): Uint8Array {
  return encoder.encode(JSON.stringify(tarballUrl(base, name, tarballFile(name, version, url))));
}
