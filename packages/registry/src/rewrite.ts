import { concat } from '@_all_docs/http';
import { type Decision, MemberScanner, type MemberVisitor } from './member-scanner.js';
import { ObjectWriter } from './object-writer.js';
import { type Projection, parseValue } from './projection.js';
import { tarballFile, tarballUrl } from './tarball-url.js';

const encoder = new TextEncoder();

/** The same document with our own tarball URLs; every other value stays byte for byte as it is. */
export class Rewriting implements Projection {
  readonly #name: string;
  readonly #base: string;
  readonly #out = new ObjectWriter();

  constructor(name: string, base: string) {
    this.#name = name;
    this.#base = base;
  }

  decide(parent: string | undefined, key: string): Decision {
    return parent === undefined && key === 'versions' ? 'enter' : 'take';
  }

  enter(key: string): void {
    this.#out.enter(key);
  }

  leave(): void {
    this.#out.leave();
  }

  member(parent: string | undefined, key: string, value: Uint8Array): void {
    this.#out.member(key, parent === undefined ? value : rewriteVersion(value, this.#name, key, this.#base));
  }

  take(): Uint8Array {
    return this.#out.take();
  }

  finish(): void {
    this.#out.leave();
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

  decide(parent: string | undefined, key: string): Decision {
    if (parent === undefined) return key === 'versions' ? 'enter' : 'skip';
    return key === this.#version ? 'take' : 'skip';
  }

  member(parent: string | undefined, key: string, value: Uint8Array): void {
    if (parent === undefined) return;
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
  const middle = encoder.encode(JSON.stringify(tarballUrl(base, name, tarballFile(name, key, url))));
  const parts = [version.subarray(0, start), middle, version.subarray(start + tarball.length)];
  return concat(parts, version.length - tarball.length + middle.length);
}

/** The text of `dist.tarball` as a view of the version's. */
function findTarball(version: Uint8Array): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  const visitor: MemberVisitor = {
    decide(parent, key) {
      if (parent === undefined) return key === 'dist' ? 'enter' : 'skip';
      return key === 'tarball' ? 'take' : 'skip';
    },
    member(parent, key, value) {
      if (parent === 'dist' && key === 'tarball') found = value;
    },
  };
  // Only an object has members; whatever else stands there is left alone.
  if (version[0] === 0x7b) new MemberScanner(visitor).push(version);
  return found;
}
